-- Half of the time of linking a model whose ids were all issued again went into looking up the two
-- elements and the version of each statement once more. They are looked up for all rows at once.

alter table core.links drop constraint links_from_element_fkey;
alter table core.links drop constraint links_to_element_fkey;
alter table core.links drop constraint links_model_version_id_fkey;
alter table core.identities drop constraint identities_element_id_fkey;

create or replace function core.note_fresh_links() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  stranger bigint;
begin
  -- Elements go with their models, which stay for as long as this transaction lasts.
  perform 1 from core.models m
    where m.project_id in (select distinct a.project_id from added a) for key share;
  select x.element_id into stranger
    from (select a.from_element as element_id from added a
          union all
          select a.to_element from added a where a.to_element is not null) x
   where not exists (select from core.elements e where e.id = x.element_id) limit 1;
  if found then
    raise exception 'a link names element %, which does not exist', stranger
      using errcode = 'foreign_key_violation';
  end if;
  select x.model_version_id into stranger
    from (select distinct a.model_version_id from added a where a.model_version_id is not null) x
   where not exists (select from core.model_versions v where v.id = x.model_version_id) limit 1;
  if found then
    raise exception 'a link names model version %, which does not exist', stranger
      using errcode = 'foreign_key_violation';
  end if;
  insert into core.fresh_links select a.id, a.from_element, a.to_element from added a;
  return null;
end
$$;

create function core.forget_links() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_table_name = 'elements' then
    delete from core.links l using removed r where l.from_element = r.id;
    delete from core.links l using removed r where l.to_element = r.id;
    delete from core.identities i using removed r where i.element_id = r.id;
  else
    delete from core.links l using removed r where l.model_version_id = r.id;
  end if;
  return null;
end
$$;
comment on function core.forget_links() is
  'What was said of an element goes with it, and what was said about a version with that.';
create trigger forget_links after delete on core.elements referencing old table as removed
  for each statement execute function core.forget_links();
create trigger forget_links after delete on core.model_versions referencing old table as removed
  for each statement execute function core.forget_links();

revoke all on function core.forget_links() from public, anon, authenticated, ifc_worker;
grant execute on function core.forget_links() to service_role;
