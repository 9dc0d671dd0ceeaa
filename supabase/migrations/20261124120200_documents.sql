-- Clash documents that something else computed, sent by a client whose connection may break: a key of its
-- own tells a document that is sent again from another one. A plain insert cannot do that.

create table core.document_keys (
  key uuid primary key,
  project_id bigint not null references core.projects on delete cascade,
  result_id bigint not null references clash.results on delete cascade
);
comment on table core.document_keys is 'Which clash result a document became, by the key it was sent with.';
create index document_keys_result on core.document_keys (result_id);

create function public.insert_clash_document(key uuid, document jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  made bigint;
  home bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ifcbase.document:' || insert_clash_document.key, 0));
  select k.result_id, k.project_id into made, home from core.document_keys k
    where k.key = insert_clash_document.key;
  if found then
    if not core.can(home, 'write') then
      perform core.refuse('409', 'conflict', 'this key was used by another');
    end if;
  else
    -- The view's triggers ask what the caller may write, as for a plain insert.
    insert into public.clash_results (original_clash_id, clash_set_name, output_filename, clash_count,
                                      clash_data, project_id)
    values ((document ->> 'original_clash_id')::bigint, document ->> 'clash_set_name',
            document ->> 'output_filename', (document ->> 'clash_count')::int, document -> 'clash_data',
            (document ->> 'project_id')::bigint)
    returning id, project_id into made, home;
    insert into core.document_keys (key, project_id, result_id)
    values (insert_clash_document.key, home, made);
  end if;
  return (select jsonb_build_object('id', r.id, 'original_clash_id', r.original_clash_id,
                   'clash_set_name', r.clash_set_name, 'output_filename', r.output_filename,
                   'clash_count', r.clash_count, 'created_at', r.created_at, 'project_id', r.project_id)
            from clash.results r where r.id = made);
end
$$;
comment on function public.insert_clash_document(uuid, jsonb) is
  'A plain insert into clash_results under a key: sent again, it gives the same row. The document is not '
  'sent back.';

alter table core.document_keys enable row level security;
revoke all on core.document_keys from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on core.document_keys to service_role;
create policy service on core.document_keys to service_role using (true) with check (true);
revoke all on function public.insert_clash_document(uuid, jsonb) from public, anon, authenticated, ifc_worker;
grant execute on function public.insert_clash_document(uuid, jsonb) to authenticated, service_role;

notify pgrst, 'reload schema';
