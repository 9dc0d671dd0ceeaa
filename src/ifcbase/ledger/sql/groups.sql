-- groups: the groups of a clash set, those with the most pairs first
select * from clash.groups(%(set)s, %(key)s) order by pairs desc, group_name limit %(limit)s

-- members: the pairs of one group of a clash set
select pair_id from clash.pair_groups(%(set)s, %(key)s) where group_name = %(group)s order by pair_id

-- decide_group: decides about each pair of a group
select public.decide_group(%(set)s, %(group)s, %(action)s, %(reason)s, %(comment)s, %(assigned_to)s,
                           %(due)s) as pairs

-- rules: the decision rules of a project in their order, with how many words of each stand
select u.id, u.name, u.active, s.name as "set", u.one_class, u.other_class, k.word as kind,
       u.min_distance, u.max_distance, u.group_name, u.action, u.reason, u.comment, u.created_at,
       (select count(*) from (
          select distinct on (d.finding_id) d.rule_id, d.action from core.decisions d
           where d.project_id = u.project_id
             and d.action in ('open', 'reviewed', 'approved', 'ignored')
           order by d.finding_id, d.rule_id is not null, d.id desc) w
         where w.rule_id = u.id and w.action <> 'open') as decided
  from core.decision_rules u
  join core.projects p on p.id = u.project_id
  left join clash.sets s on s.id = u.set_id
  left join clash.kinds k on k.kind = u.kind
 where p.name = %(project)s and (%(name)s::text is null or u.name = %(name)s)
 order by u.id

-- add_rule: adds a decision rule
select public.add_rule((select p.id from core.projects p where p.name = %(project)s), %(rule)s) as id

-- switch_rule: switches a decision rule on or off
select public.switch_rule(%(rule)s, %(active)s)
