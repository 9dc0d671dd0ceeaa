-- A finished result that somebody deletes leaves its chain as if it had never been: before it goes, its
-- chain is rewound to its place; when the statement is over, what follows is derived again.

create function core.note_rewound(check_name text, chain bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if to_regclass('pg_temp.rewound') is null then
    create temporary table rewound (
      check_name text, chain_id bigint, start bigint, primary key (check_name, chain_id)) on commit drop;
  end if;
  insert into pg_temp.rewound as r (check_name, chain_id, start)
  values (note_rewound.check_name, chain, note_rewound.start)
  on conflict on constraint rewound_pkey do update set start = least(r.start, excluded.start);
end
$$;
comment on function core.note_rewound(text, bigint, bigint) is
  'Remembers until the end of the statement that a chain is derived again from a place on.';

create function core.rewind_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  named text;
  chain bigint;
begin
  -- With its project everything goes.
  if not exists (select from core.projects p where p.id = old.project_id) then
    return old;
  end if;
  case tg_table_schema
    when 'clash' then
      chain := old.set_id;
      named := format('"%s"', old.clash_set_name);
      -- Nobody writes the chain meanwhile.
      perform 1 from clash.sets s where s.id = chain for no key update;
      if old.set_version_id is not null then
        perform clash.rewind(chain, old.accepted);
      end if;
      perform core.note_rewound('clash', chain, old.accepted);
    when 'tester' then
      named := format('"%s" on "%s"', old.ids_filename, old.ifc_filename);
      for chain in select u.series_id from tester.runs u where u.result_id = old.id order by 1 loop
        perform 1 from tester.series s where s.id = chain for no key update;
        perform tester.rewind(chain, old.accepted);
        perform core.note_rewound('tester', chain, old.accepted);
      end loop;
    when 'diff' then
      chain := old.series_id;
      named := format('"%s" to "%s"', old.old_file, old.new_file);
      if chain is not null then
        perform 1 from diff.series s where s.id = chain for no key update;
        perform diff.rewind(chain, old.accepted);
        perform core.note_rewound('diff', chain, old.accepted);
      end if;
    else  -- conversions stand in no chain
      named := format('"%s" to "%s"', old.input_filename, old.output_filename);
  end case;
  insert into core.audit (project_id, request_id, caller, action, object)
  values (old.project_id, core.request_id(), core.caller(), 'delete result',
          format('%s result %s of %s, %s', tg_table_schema, old.id, named,
                 coalesce(old.verdict, 'no verdict')));
  return old;
end
$$;
comment on function core.rewind_deleted() is
  'Before a finished result is deleted: its chain is taken back to its place, and the audit says who did it.';

create function core.derive_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  each record;
begin
  if to_regclass('pg_temp.rewound') is null then
    return null;
  end if;
  for each in
    select r.* from pg_temp.rewound r where r.check_name = tg_table_schema order by r.chain_id
  loop
    delete from pg_temp.rewound r
      where r.check_name = each.check_name and r.chain_id = each.chain_id;
    -- Again, from the earliest place: of several results that go, each was rewound to its own.
    case each.check_name
      when 'clash' then
        perform clash.link_chain(each.chain_id);
        perform clash.rewind(each.chain_id, each.start);
        perform clash.derive_from(each.chain_id, each.start);
      when 'tester' then
        perform tester.rewind(each.chain_id, each.start);
        perform tester.derive_from(each.chain_id, each.start);
      when 'diff' then
        perform diff.rewind(each.chain_id, each.start);
        perform diff.derive_from(each.chain_id, each.start);
    end case;
  end loop;
  return null;
end
$$;
comment on function core.derive_deleted() is
  'After results were deleted: what followed them in their chains is derived again.';

do $$
declare
  room text;
begin
  foreach room in array array['clash', 'conversion', 'tester', 'diff'] loop
    execute format('create trigger rewind_deleted before delete on %I.results for each row '
      'when (old.state = ''finished'') execute function core.rewind_deleted()', room);
    continue when room = 'conversion';
    execute format('create trigger derive_deleted after delete on %I.results '
      'for each statement execute function core.derive_deleted()', room);
  end loop;
end
$$;

-- States that saw the result last were thrown away with it: now they are derived.
drop trigger forget_last_seen on clash.results;
drop function clash.forget_last_seen();

-- The first result of a chain may go as well: then the next one is what the others name.
alter table clash.results drop constraint results_original_clash_id_fkey;
alter table clash.results add constraint results_original_clash_id_fkey
  foreign key (original_clash_id) references clash.results on delete set null;
create function clash.lose_original() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.original_given := false;
  return new;
end
$$;
comment on function clash.lose_original() is
  'A result whose original was deleted names the first one of its chain, whoever said which it was.';
create trigger lose_original before update of original_clash_id on clash.results for each row
  when (old.original_given and old.original_clash_id is not null and new.original_clash_id is null)
  execute function clash.lose_original();

-- A comparison back in time is no part of its series. Rewinding took it for one: after a late result a
-- change was last seen in a comparison that had shown it backwards.

create function diff.chain(series bigint) returns setof diff.results
language sql stable set search_path = pg_catalog, pg_temp as $$
  select r.* from diff.results r
    join core.model_versions o on o.id = r.old_version_id
    join core.model_versions n on n.id = r.new_version_id
   where r.series_id = series and r.state = 'finished'
     and (o.model_id <> n.model_id or o.number < n.number)
   order by r.accepted
$$;
comment on function diff.chain(bigint) is
  'The results of a series in their order, without comparisons back in time: those show no change that happened.';

create or replace function diff.derive_from(chain bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result diff.results;
begin
  for result in select * from diff.chain(chain) r where r.accepted >= start order by r.accepted loop
    perform diff.derive_result(result);
  end loop;
end
$$;

create or replace function diff.rewind(chain bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  delete from diff.state_changes c using diff.results r
    where r.id = c.result_id and r.series_id = chain and r.accepted >= start;
  delete from diff.finding_states s where s.series_id = chain;
  insert into diff.finding_states (finding_id, project_id, series_id, state, reason, since_result,
                                   first_result, last_seen)
  select l.finding_id, l.project_id, chain, l.state, l.reason, l.result_id, seen.first_result,
         seen.last_seen
    from (select distinct on (c.finding_id) c.* from diff.state_changes c
            join diff.results r on r.id = c.result_id
           where r.series_id = chain order by c.finding_id, r.accepted desc) l
    join (select coalesce(f.identity_id, f.id) as finding_id,
                 (array_agg(r.id order by r.accepted))[1] as first_result,
                 (array_agg(r.id order by r.accepted desc))[1] as last_seen
            from diff.chain(chain) r
            join diff.changes c on c.result_id = r.id
            join diff.findings f on f.id = c.finding_id
           where r.accepted < start
           group by 1) seen on seen.finding_id = l.finding_id;
end
$$;

-- By storey ------------------------------------------------------------------------------------------

create view core.open_by_storey with (security_invoker = true) as
  select f.project_id, f.storey, f.check_name,
         count(*) filter (where f.state in ('new', 'persisting', 'reopened')) as open,
         count(*) filter (where f.state = 'untested') as untested
    from core.all_findings f
   where f.review = 'open' and f.state in ('new', 'persisting', 'reopened', 'untested')
   group by f.project_id, f.storey, f.check_name;
comment on view core.open_by_storey is
  'Findings nobody decided about, by storey and check; a clash counts where its first element is that is '
  'in a storey. Null: of elements that are in none.';

-- Access -------------------------------------------------------------------------------------------

revoke all on core.open_by_storey from public, anon, authenticated, ifc_worker;
grant select on core.open_by_storey to service_role, authenticated;
revoke all on function core.note_rewound(text, bigint, bigint), core.rewind_deleted(),
  core.derive_deleted(), clash.lose_original(), diff.chain(bigint) from public, anon, authenticated, ifc_worker;
grant execute on function core.note_rewound(text, bigint, bigint), core.rewind_deleted(),
  core.derive_deleted(), clash.lose_original(), diff.chain(bigint) to service_role;
