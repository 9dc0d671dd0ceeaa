-- Decisions about findings of every check: those about pairs keep what was last measured of them, the
-- others need no more than the words.

create function core.kindred(finding bigint) returns setof bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  room text := (select f.check_name from core.findings f where f.id = finding);
begin
  if room = 'tester' then
    return query
      select m.id from tester.findings f
        join tester.findings m on m.id = f.identity_id or m.id = f.id
          or m.identity_id = coalesce(f.identity_id, f.id)
       where f.id = finding;
  else
    return next finding;
  end if;
end
$$;
comment on function core.kindred(bigint) is
  'All findings that are one finding with this one, after its element got other ids.';

create or replace function core.append_decision(finding bigint, action text, reason text, comment text,
  assigned_to text, due date, rule bigint, who uuid, through text default null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  known core.findings;
  answer bigint;
begin
  select * into known from core.findings f where f.id = finding;
  if not found then
    perform core.refuse('404', 'not-found', format('there is no finding %s', finding));
  elsif known.check_name = 'clash' then
    return core.append_pair_decision(finding, append_decision.action, append_decision.reason,
      append_decision.comment, append_decision.assigned_to, append_decision.due,
      append_decision.rule, who, through);
  end if;
  -- A word on a finding is a word on every finding that it is.
  with made as (
    insert into core.decisions (project_id, finding_id, action, reason, comment, assigned_to, due,
                                rule_id, decided_by)
    select known.project_id, f, append_decision.action, append_decision.reason,
           append_decision.comment, append_decision.assigned_to, append_decision.due,
           append_decision.rule, who
      from core.kindred(finding) f
    returning id, finding_id
  )
  select m.id into answer from made m where m.finding_id = finding;
  return answer;
exception when not_null_violation or check_violation or foreign_key_violation then
  perform core.refuse('422', 'request-invalid', 'this is no decision: ' || sqlerrm,
    'Ignoring needs a reason of the list; the reason "other" and a comment need a text.');
end
$$;
comment on function core.append_decision(bigint, text, text, text, text, date, bigint, uuid, text) is
  'Appends a decision about a finding, and about those that are one with it.';

revoke all on function core.append_pair_decision(bigint, text, text, text, text, date, bigint, uuid, text)
  from public, anon, authenticated, ifc_worker;
grant execute on function core.append_pair_decision(bigint, text, text, text, text, date, bigint, uuid, text)
  to service_role;
revoke all on function core.kindred(bigint) from public, anon, authenticated, ifc_worker;
revoke all on function core.append_decision(bigint, text, text, text, text, date, bigint, uuid, text)
  from public, anon, authenticated, ifc_worker;
grant execute on function core.kindred(bigint) to service_role;
grant execute on function core.append_decision(bigint, text, text, text, text, date, bigint, uuid, text)
  to service_role;
