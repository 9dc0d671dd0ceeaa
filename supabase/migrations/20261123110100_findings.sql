-- One finding model: every check shows its findings in the same columns, and what is open is read
-- over all of them.
--
-- A check that joins makes a view <check>.current_findings with exactly the columns of
-- clash.current_findings below, in their order and types (null where a column has no meaning for it),
-- of findings whose ids are in core.findings. Its migration then repeats core.all_findings with
--   create or replace view core.all_findings with (security_invoker = true) as
--     select * from clash.current_findings union all select * from <check>.current_findings [...]
-- naming every check that is there by then; open_findings, open_by_check and open_by_discipline
-- follow by themselves.

create view clash.current_findings with (security_invoker = true) as
  select t.pair_id as finding_id, t.project_id, 'clash'::text as check_name, s.name as series,
         case when shown.far is null then shown.one || ' and ' || shown.other || ' clash'
              when c.kind = 4 then shown.one || ' and ' || shown.other || ' are ' || shown.far || ' apart'
              when c.kind = 5 then 'one of ' || shown.one || ' and ' || shown.other || ' lies inside the other'
              when c.kind = 6 then shown.one || ' and ' || shown.other || ' are in the same place'
              when c.kind = 7 then shown.one || ' and ' || shown.other || ' touch'
              when c.kind = 2 then shown.one || ' and ' || shown.other || ' go through each other' || shown.by
              else shown.one || ' and ' || shown.other || ' overlap' || shown.by
         end as title,
         t.state, t.reason, since.finished_at as since, first.finished_at as first_seen,
         ea.id as a_element, eb.id as b_element, ma.name as model, ma.discipline,
         mb.discipline as other_discipline, coalesce(ca.storey, cb.storey) as storey,
         ca.ifc_class as class, ea.global_id, w.state as review, w.reason as review_reason,
         w.assigned_to, w.due
    from clash.sets s
    cross join lateral core.review_states(s.id) w
    join clash.pair_states t on t.pair_id = w.pair_id
    join clash.results since on since.id = t.since_result
    join clash.results first on first.id = t.first_result
    -- As it was when last seen: of ids that were exchanged since, those of then.
    cross join lateral (
      select p.a_element, p.b_element, seen.distance, seen.kind, seen.measured,
             coalesce(seen.flipped, false) as flipped, seen.a_position, seen.b_position
        from (select t.pair_id as id
              union all
              select p.id from clash.pairs p where p.identity_id = t.pair_id) member
        join clash.pairs p on p.id = member.id
        left join clash.sightings seen on seen.result_id = t.last_seen and seen.pair_id = p.id
       order by seen.pair_id is null, seen.kind = 4,
                case when seen.kind = 4 then seen.distance else -seen.distance end, p.id
       limit 1) c
    join core.elements ea on ea.id = case when c.flipped then c.b_element else c.a_element end
    join core.elements eb on eb.id = case when c.flipped then c.a_element else c.b_element end
    join core.models ma on ma.id = ea.model_id
    join core.models mb on mb.id = eb.model_id
    left join clash.coverage va on va.result_id = t.last_seen and va."position" = c.a_position
    left join clash.coverage vb on vb.result_id = t.last_seen and vb."position" = c.b_position
    left join core.model_versions na on na.id = va.model_version_id
    left join core.model_versions nb on nb.id = vb.model_version_id
    left join lateral (
      select k.ifc_class, k.name, k.storey from core.content k
       where k.element_id = ea.id and k.first_number <= coalesce(na.number, 2147483647)
       order by k.first_number desc limit 1) ca on true
    left join lateral (
      select k.ifc_class, k.name, k.storey from core.content k
       where k.element_id = eb.id and k.first_number <= coalesce(nb.number, 2147483647)
       order by k.first_number desc limit 1) cb on true
    cross join lateral (
      select coalesce(substr(ca.ifc_class, 4), 'element') || coalesce(' "' || ca.name || '"', '') as one,
             coalesce(substr(cb.ifc_class, 4), 'element') || coalesce(' "' || cb.name || '"', '') as other,
             l.far, case when c.measured = 0 then '' else ' by ' || l.far end as by
        from (select case when c.distance < 0.0005 then 'less than 1 mm'
                          else round(c.distance * 1000)::bigint || ' mm' end as far) l) shown
   where t.project_id = any (array(select core.own_projects('read')));
comment on view clash.current_findings is
  'The pairs of all clash sets as findings. One element is side a''s, the other side b''s, as they were '
  'when the pair was last seen. Since: when the state began. Members only: it tells what they decided.';

create view core.all_findings with (security_invoker = true) as
  select finding_id, project_id, check_name, series, title, state, reason, since, first_seen, a_element,
         b_element, model, discipline, other_discipline, storey, class, global_id, review,
         review_reason, assigned_to, due
    from clash.current_findings;
comment on view core.all_findings is 'The findings of all checks with what is known and decided now.';

create view core.open_findings with (security_invoker = true) as
  select f.* from core.all_findings f
   where f.review = 'open' and f.state in ('new', 'persisting', 'reopened');
comment on view core.open_findings is
  'What is there and undecided. Findings nobody could test this time are not among them: see untested '
  'in open_by_check.';

create view core.open_by_check with (security_invoker = true) as
  select f.project_id, f.check_name, f.series,
         count(*) filter (where f.state in ('new', 'persisting', 'reopened')) as open,
         count(*) filter (where f.state = 'untested') as untested
    from core.all_findings f
   where f.review = 'open' and f.state in ('new', 'persisting', 'reopened', 'untested')
   group by f.project_id, f.check_name, f.series;
comment on view core.open_by_check is
  'Undecided findings by check and series; untested: not seen, but not shown to be solved either.';

create view core.open_by_discipline with (security_invoker = true) as
  select f.project_id, d.discipline, f.check_name,
         count(*) filter (where f.state in ('new', 'persisting', 'reopened')) as open,
         count(*) filter (where f.state = 'untested') as untested
    from core.all_findings f
    cross join lateral (
      select f.discipline
      union
      select f.other_discipline where f.other_discipline is not null) d
   where f.review = 'open' and f.state in ('new', 'persisting', 'reopened', 'untested')
   group by f.project_id, d.discipline, f.check_name;
comment on view core.open_by_discipline is
  'Undecided findings by discipline and check. A finding between two disciplines counts for each of '
  'them, so that the sum may exceed the number of findings; null: the discipline is not known.';

-- Access: what people decided is the members' business.
do $$
declare
  item text;
begin
  foreach item in array array['clash.current_findings', 'core.all_findings', 'core.open_findings',
                              'core.open_by_check', 'core.open_by_discipline'] loop
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select on %s to service_role, authenticated', item);
  end loop;
end
$$;
