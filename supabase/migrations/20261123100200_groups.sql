-- Groups: several pairs with one cause, in several ways at once. A decision on a group is one on each
-- of its pairs, and says so; a rule may be about a group that lasts.

create function clash.pair_groups(chain bigint, key text)
returns table (pair_id bigint, group_name text, label text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  case key
    when 'near' then
      return query
      select distinct t.pair_id, 'near/' || s.result_id || '/' || s.smart_group,
             'close to each other in result ' || s.result_id
        from clash.pair_states t
        cross join lateral (
          select t.pair_id as id
          union all
          select p.id from clash.pairs p where p.identity_id = t.pair_id) m
        join clash.sightings s on s.result_id = t.last_seen and s.pair_id = m.id
       where t.set_id = chain and t.state not in ('resolved', 'removed') and s.smart_group is not null;
    when 'element' then
      return query
      with ends as materialized (
        select t.pair_id, coalesce(i.root_id, x.element_id) as root
          from clash.pair_states t
          join clash.pairs p on p.id = t.pair_id
          cross join lateral (values (p.a_element), (p.b_element)) x (element_id)
          left join core.identities i on i.element_id = x.element_id
         where t.set_id = chain and t.state not in ('resolved', 'removed')
      ), named as (
        select distinct on (e.root) e.root, concat_ws(' ', k.ifc_class, k.name) as label
          from (select distinct root from ends) e
          left join core.content k on k.element_id = e.root
         order by e.root, k.first_number desc
      )
      select distinct e.pair_id, 'element/' || e.root, n.label from ends e join named n on n.root = e.root;
    when 'class', 'storey', 'model' then
      return query
      select p.pair_id, key || '/' || least(p.one, p.other) || '+' || greatest(p.one, p.other),
             least(p.one, p.other) || ' and ' || greatest(p.one, p.other)
        from (select x.pair_id, x.state,
                     coalesce(case key when 'class' then x.one_class when 'storey' then x.one_storey
                                            else x.one_model end, 'none') as one,
                     coalesce(case key when 'class' then x.other_class
                                            when 'storey' then x.other_storey
                                            else x.other_model end, 'none') as other
                from clash.present_pairs(chain) x) p
       where p.state not in ('resolved', 'removed');
    else
      raise exception 'there is no grouping %', coalesce(key, 'null') using errcode = '22023',
        hint = 'Groups are made by near, element, class, storey or model.';
  end case;
end
$$;
comment on function clash.pair_groups(bigint, text) is
  'The groups that pairs of a chain are in, resolved and removed ones aside: by near (the smart group '
  'of the result that saw a pair last), element, class, storey or model. A pair may be in several.';

create function clash.groups(chain bigint, key text)
returns table (group_name text, label text, pairs bigint, unseen bigint, open bigint,
               deepest double precision)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- Aggregated once over the whole chain: the decisions of a pair are read in one pass.
  select g.group_name, min(g.label), count(*), count(*) filter (where t.state = 'untested'),
         count(*) filter (where w.state = 'open'),
         max(c.distance) filter (where c.kind <> 4)
    from clash.pair_groups(chain, key) g
    join clash.pair_states t on t.pair_id = g.pair_id
    left join core.review_states(chain) w on w.pair_id = g.pair_id
    left join clash.last_contacts(chain) c on c.pair_id = g.pair_id
   group by g.group_name
$$;
comment on function clash.groups(bigint, text) is
  'The groups of a chain: how many pairs, how many of them untested and open for review, and the '
  'greatest depth in metres.';

create function clash.group_now(group_name text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((
    select 'element/' || i.root_id from core.identities i
     where group_name ~ '^element/[0-9]{1,18}$' and i.element_id =
       case when group_name ~ '^element/[0-9]{1,18}$' then split_part(group_name, '/', 2)::bigint end),
    group_name)
$$;
comment on function clash.group_now(text) is
  'The present name of a group: that of an element changes when it turns out to be an earlier one.';

-- Decisions ----------------------------------------------------------------------------------------

alter table core.decisions add column group_name text;
comment on column core.decisions.group_name is
  'The group through which it was decided about the pair; null: about the pair itself.';
alter table core.decision_rules add column group_name text
  check (group_name ~ '^(element|class|storey|model)/.');
comment on column core.decision_rules.group_name is
  'Only pairs of this group of clash.pair_groups; those by near do not outlast a result.';

drop function core.append_decision(bigint, text, text, text, text, date, bigint, uuid);
create function core.append_pair_decision(finding bigint, action text, reason text, comment text,
  assigned_to text, due date, rule bigint, who uuid, through text default null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  pair clash.pairs;
  seen record;
  answer bigint;
begin
  select * into pair from clash.pairs p where p.id = finding;
  if not found then
    perform core.refuse('404', 'not-found', format('there is no pair %s', finding));
  end if;
  select c.result_id, c.distance, c.kind, r.measure_version into seen
    from clash.last_contacts(pair.set_id, array[coalesce(pair.identity_id, pair.id)]) c
    join clash.results r on r.id = c.result_id;
  if action = 'approved' and seen.result_id is null then
    perform core.refuse('409', 'conflict', format('pair %s was never seen in a finished result', finding));
  end if;
  -- A word on a pair is a word on every pair that it is.
  with made as (
    insert into core.decisions (project_id, finding_id, action, reason, comment, assigned_to, due,
                                distance, kind, measure_version, margin, result_id, rule_id, decided_by,
                                group_name)
    select pair.project_id, f.id, append_pair_decision.action, append_pair_decision.reason,
           append_pair_decision.comment, append_pair_decision.assigned_to,
           append_pair_decision.due, seen.distance,
           seen.kind, seen.measure_version,
           (select j.approval_margin from core.projects j where j.id = pair.project_id),
           seen.result_id, append_pair_decision.rule, who, through
      from clash.pairs f
     where f.id = finding or f.id = pair.identity_id
        or f.identity_id = coalesce(pair.identity_id, pair.id)
    returning id, finding_id
  )
  select m.id into answer from made m where m.finding_id = finding;
  return answer;
exception when not_null_violation or check_violation or foreign_key_violation then
  perform core.refuse('422', 'request-invalid', 'this is no decision: ' || sqlerrm,
    'Ignoring needs a reason of the list; the reason "other" and a comment need a text.');
end
$$;
comment on function core.append_pair_decision(bigint, text, text, text, text, date, bigint, uuid, text) is
  'Appends a decision with what was last seen of the pair, and the group it came through.';

create function core.append_decision(finding bigint, action text, reason text, comment text,
  assigned_to text, due date, rule bigint, who uuid, through text default null) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  select core.append_pair_decision($1, $2, $3, $4, $5, $6, $7, $8, $9)
$$;
comment on function core.append_decision(bigint, text, text, text, text, date, bigint, uuid, text) is
  'Appends a decision about a finding, and the group it came through.';

create function public.decide_group(clash_set bigint, group_name text, action text,
  reason text default null, comment text default null, assigned_to text default null,
  due date default null)
returns bigint[] language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  project bigint := (select s.project_id from clash.sets s where s.id = clash_set);
  wanted text := clash.group_now(decide_group.group_name);
  members bigint[];
begin
  if project is null then
    perform core.refuse('404', 'not-found', 'there is no such clash set');
  elsif not core.may_decide(project) then
    perform core.refuse('403', 'conflict', 'you may not decide in this project');
  elsif split_part(wanted, '/', 1) not in ('near', 'element', 'class', 'storey', 'model') then
    perform core.refuse('422', 'request-invalid', format('%s is no name of a group', wanted),
      'A name says how the group was made, as element/12 or class/IfcDuctSegment+IfcWall.');
  end if;
  members := array(
    select g.pair_id from clash.pair_groups(clash_set, split_part(wanted, '/', 1)) g
     where g.group_name = wanted order by g.pair_id);
  if cardinality(members) = 0 then
    perform core.refuse('404', 'not-found', format('the clash set has no group %s', wanted));
  end if;
  perform core.append_decision(f, decide_group.action, decide_group.reason, decide_group.comment,
                               decide_group.assigned_to, decide_group.due, null, auth.uid(), wanted)
    from unnest(members) as f;
  return members;
end
$$;
comment on function public.decide_group(bigint, text, text, text, text, text, date) is
  'Decides about each pair that is in a group of a clash set now; gives those pairs.';

-- Rules --------------------------------------------------------------------------------------------

create or replace function core.rule_outcomes(result bigint, rules core.decision_rules[])
returns table (pair_id bigint, rule_id bigint, action text, reason text, comment text, before text,
               distance double precision)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with here as (
    select * from clash.results r where r.id = result
  ), seen as (
    select distinct on (coalesce(p.identity_id, p.id)) coalesce(p.identity_id, p.id) as pair_id,
           s.distance, s.kind, p.a_element, p.b_element,
           case when s.flipped then s.b_position else s.a_position end as pa,
           case when s.flipped then s.a_position else s.b_position end as pb
      from clash.sightings s join clash.pairs p on p.id = s.pair_id
     where s.result_id = result
     order by coalesce(p.identity_id, p.id), s.kind = 4,
              case when s.kind = 4 then s.distance else -s.distance end
  ), described as (
    select s.*, ca.ifc_class as a_class, cb.ifc_class as b_class
      from seen s
      left join clash.coverage va on va.result_id = result and va."position" = s.pa
      left join clash.coverage vb on vb.result_id = result and vb."position" = s.pb
      left join core.model_versions na on na.id = va.model_version_id
      left join core.model_versions nb on nb.id = vb.model_version_id
      left join core.content ca on ca.element_id = s.a_element and ca.first_number <= na.number
       and (ca.last_number is null or ca.last_number >= na.number)
      left join core.content cb on cb.element_id = s.b_element and cb.first_number <= nb.number
       and (cb.last_number is null or cb.last_number >= nb.number)
  ), grouped as materialized (
    -- One pass per grouping that a rule names.
    select distinct u.id as rule_id, g.pair_id
      from here h
      cross join lateral (select distinct split_part(r.group_name, '/', 1) as key
                            from unnest(rules) r where r.group_name is not null) k
      cross join lateral clash.pair_groups(h.set_id, k.key) g
      join unnest(rules) u on clash.group_now(u.group_name) = g.group_name
  ), fitting as (
    select distinct on (d.pair_id) d.*, u.id as rule_id, u.action, u.reason, u.comment
      from here h cross join described d
      left join unnest(rules) u on u.project_id = h.project_id
       and (u.set_id is null or u.set_id = h.set_id)
       and (u.kind is null or u.kind = d.kind)
       and (u.min_distance is null or d.distance >= u.min_distance)
       and (u.max_distance is null or d.distance <= u.max_distance)
       and (u.group_name is null or exists (
              select from grouped g where g.rule_id = u.id and g.pair_id = d.pair_id))
       and ((u.one_class is null or u.one_class = d.a_class)
            and (u.other_class is null or u.other_class = d.b_class)
            or (u.one_class is null or u.one_class = d.b_class)
            and (u.other_class is null or u.other_class = d.a_class))
     order by d.pair_id, u.id
  ), words as (
    select distinct on (coalesce(p.identity_id, p.id)) coalesce(p.identity_id, p.id) as pair_id,
           d.rule_id, d.action, d.reason
      from core.decisions d join clash.pairs p on p.id = d.finding_id
     where p.set_id = (select set_id from here)
       and d.action in ('open', 'reviewed', 'approved', 'ignored')
     order by coalesce(p.identity_id, p.id), d.rule_id is not null, d.id desc
  )
  select f.pair_id, coalesce(f.rule_id, w.rule_id), coalesce(f.action, 'open'), f.reason, f.comment,
         v.state, f.distance
    from fitting f
    left join words w on w.pair_id = f.pair_id
    join core.review_states((select set_id from here)) v on v.pair_id = f.pair_id
   -- Never over a person. A rule that fits no longer takes its word back.
   where (w.pair_id is null or w.rule_id is not null)
     and (f.rule_id is not null or w.rule_id is not null)
     and (v.state <> coalesce(f.action, 'open') or v.reason is distinct from f.reason
          and f.rule_id is not null)
$$;

create function public.add_rule(project_id bigint, rule jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  made core.decision_rules;
  strange text;
begin
  if not core.may_decide(add_rule.project_id) then
    perform core.refuse('403', 'conflict', 'you may not decide in this project');
  end if;
  select string_agg(k, ', ' order by k) into strange from jsonb_object_keys(rule) k
   where k not in ('name', 'set_id', 'one_class', 'other_class', 'kind', 'min_distance', 'max_distance',
                   'group_name', 'action', 'reason', 'comment');
  if strange is not null then
    perform core.refuse('422', 'request-invalid', format('a rule has no %s', strange));
  end if;
  made := jsonb_populate_record(null::core.decision_rules, rule);
  if made.set_id is not null and not exists (
       select from clash.sets s where s.id = made.set_id and s.project_id = add_rule.project_id) then
    perform core.refuse('404', 'not-found', 'there is no such clash set in the project');
  end if;
  insert into core.decision_rules (project_id, name, set_id, one_class, other_class, kind, min_distance,
                                   max_distance, group_name, action, reason, comment, made_by)
  values (add_rule.project_id, made.name, made.set_id, made.one_class, made.other_class, made.kind,
          made.min_distance, made.max_distance, made.group_name, made.action, made.reason, made.comment,
          auth.uid())
  returning id into made.id;
  return made.id;
exception
  when unique_violation then
    perform core.refuse('409', 'conflict', format('the project has a rule named %s already', made.name),
      'Rules keep their names when they are switched off: choose another one.');
  when not_null_violation or check_violation or foreign_key_violation or invalid_text_representation then
    perform core.refuse('422', 'request-invalid', 'this is no rule: ' || sqlerrm,
      'A rule has a name and an action; ignoring needs a reason of the list.');
end
$$;
comment on function public.add_rule(bigint, jsonb) is
  'Adds a decision rule, the last in order; it decides from the next result on.';

create function public.switch_rule(rule bigint, active boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  project bigint := (select u.project_id from core.decision_rules u where u.id = rule);
begin
  if project is null then
    perform core.refuse('404', 'not-found', 'there is no such rule');
  elsif not core.may_decide(project) then
    perform core.refuse('403', 'conflict', 'you may not decide in this project');
  elsif switch_rule.active is null then
    perform core.refuse('422', 'request-invalid', 'a rule is switched on or off');
  end if;
  update core.decision_rules u set active = switch_rule.active where u.id = rule;
end
$$;
comment on function public.switch_rule(bigint, boolean) is
  'Switches a decision rule on or off; one that is off takes its words back with the next result.';

do $$
declare
  item regprocedure;
begin
  foreach item in array array[
    'clash.pair_groups(bigint, text)', 'clash.groups(bigint, text)', 'clash.group_now(text)',
    'core.append_pair_decision(bigint, text, text, text, text, date, bigint, uuid, text)',
    'core.append_decision(bigint, text, text, text, text, date, bigint, uuid, text)',
    'public.decide_group(bigint, text, text, text, text, text, date)',
    'public.add_rule(bigint, jsonb)', 'public.switch_rule(bigint, boolean)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant execute on function %s to service_role', item);
  end loop;
end
$$;
-- They read with the caller's rights; decisions are members' alone, and so are counts of what is open.
grant execute on function clash.pair_groups(bigint, text), clash.group_now(text) to anon, authenticated;
grant execute on function clash.groups(bigint, text) to authenticated;
-- Everybody signed in may ask; whether they may decide is checked per project inside.
grant execute on function public.decide_group(bigint, text, text, text, text, text, date),
  public.add_rule(bigint, jsonb), public.switch_rule(bigint, boolean) to authenticated;
