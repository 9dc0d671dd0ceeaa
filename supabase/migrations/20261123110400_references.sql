-- A reference costs a look-up for every row. Those that another reference of the same row implies go:
-- an element names its model, a model its project; a pair its set, a set its project. Rows go with
-- their elements, pairs and sets as before.

alter table core.elements drop constraint elements_project_id_fkey;
alter table core.content drop constraint content_project_id_fkey;
alter table core.content drop constraint content_model_id_fkey;
alter table core.incoming_elements drop constraint incoming_elements_model_version_id_fkey;
alter table core.links drop constraint links_project_id_fkey;
alter table core.identities drop constraint identities_project_id_fkey;
alter table core.identities drop constraint identities_root_id_fkey;
alter table clash.pairs drop constraint pairs_project_id_fkey;
alter table clash.pair_states drop constraint pair_states_project_id_fkey;
alter table clash.pair_states drop constraint pair_states_set_id_fkey;
alter table clash.state_changes drop constraint state_changes_project_id_fkey;
-- Its rows are looked up among the elements by whoever writes them, and live for one transaction.
alter table clash.result_elements drop constraint result_elements_element_id_fkey;

-- Every result changes last_seen of nearly every pair; a result is deleted hardly ever.
alter table clash.pair_states drop constraint pair_states_last_seen_fkey;
create function clash.forget_last_seen() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from removed r where r.state = 'finished') then
    delete from clash.pair_states s using removed r where r.id = s.last_seen;
  end if;
  return null;
end
$$;
comment on function clash.forget_last_seen() is
  'States go with the result in which their pairs were last seen.';
create trigger forget_last_seen after delete on clash.results referencing old table as removed
  for each statement execute function clash.forget_last_seen();
-- Room for every row's next version beside it: then no index has to follow.
alter table clash.pair_states set (fillfactor = 45);

revoke all on function clash.forget_last_seen() from public, anon, authenticated;
grant execute on function clash.forget_last_seen() to service_role;
