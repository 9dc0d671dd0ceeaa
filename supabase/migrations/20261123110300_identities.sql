-- Drawing conclusions from many links at once: every step is one statement over all that changed, so
-- that a model whose every id was issued again costs seconds.

-- Which statements no conclusions were drawn from yet. A column of the statement itself would have to
-- be changed in each: a second version of every row just written.
create table core.fresh_links (
  link_id bigint primary key,
  from_element bigint not null,
  to_element bigint
);
comment on table core.fresh_links is
  'Links that core.refresh_identities has not taken into account yet; emptied by it.';
insert into core.fresh_links select l.id, l.from_element, l.to_element from core.links l
  where l.applied_at is null;
alter table core.links drop column applied_at;
comment on table core.links is
  'Statements that an element is (or is not) the one that came before it. Append-only: for two '
  'elements the latest statement holds. Doubtful without a second element: it may have got a new id.';

create function core.note_fresh_links() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into core.fresh_links select a.id, a.from_element, a.to_element from added a;
  return null;
end
$$;
comment on function core.note_fresh_links() is 'New links wait for their conclusions.';
create trigger note_fresh_links after insert on core.links referencing new table as added
  for each statement execute function core.note_fresh_links();

alter table core.fresh_links enable row level security;
create policy service on core.fresh_links to service_role using (true) with check (true);
revoke all on core.fresh_links from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on core.fresh_links to service_role;

create or replace function clash.first_concerned(chain bigint, news jsonb) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- A statement "from became to" says nothing new about a run that held from and not yet to, nor about
  -- runs before the first one that held either: no pair of theirs was known then.
  with said as (
    select x.n as id, y.before, y.after
      from jsonb_array_elements(news) with ordinality as x (said, n)
      cross join jsonb_to_record(x.said) as y (before jsonb, after jsonb)
  ), stretches as materialized (
    select s.id, false as later, (b ->> 0)::bigint as model_id, (b ->> 1)::int4multirange as numbers
      from said s cross join jsonb_array_elements(s.before) as b
    union all
    select s.id, true, (a ->> 0)::bigint, (a ->> 1)::int4multirange
      from said s cross join jsonb_array_elements(s.after) as a
  ), runs as materialized (
    select r.accepted, v.model_id, v.number, v.inventoried_at is not null as known
      from clash.results r join clash.coverage c on c.result_id = r.id
      join core.model_versions v on v.id = c.model_version_id
     where r.set_id = chain and r.state = 'finished' and r.set_version_id is not null
     group by r.accepted, v.model_id, v.number, v.inventoried_at is not null
  ), met as (
    select r.accepted, t.id, bool_or(not t.later) as held, bool_or(t.later) as arrived
      from runs r join stretches t on r.known and t.model_id = r.model_id and t.numbers @> r.number
     group by r.accepted, t.id
  ), first_met as (
    select m.id, min(m.accepted) as accepted from met m group by m.id
  )
  select min(q.accepted) from (
    select m.accepted from met m where m.arrived
    union all
    select r.accepted from runs r where not r.known
    union all
    select r.accepted from first_met f
      join (select distinct accepted from runs) r on r.accepted > f.accepted
     where not exists (select from met m where m.id = f.id and m.accepted = r.accepted)) q
$$;
comment on function clash.first_concerned(bigint, jsonb) is
  'The place of the first result of a chain on which new statements about elements may bear. Statements '
  'are given as [{before: [[model, numbers]], after: [[model, numbers]]}]: when what they name was there.';

create function core.news_of_fresh() returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  -- Many statements are alike: elements that were there in the same versions.
  return (
  with members as (
    select f.id, false as later, f.from_element as member from pg_temp.fresh f
    union
    select f.id, false, o.element_id from pg_temp.fresh f
      join core.identities m on m.element_id = f.from_element
      join core.identities o on o.root_id = m.root_id
    union
    select f.id, true, f.to_element from pg_temp.fresh f where f.to_element is not null
    union
    select f.id, true, o.element_id from pg_temp.fresh f
      join core.identities m on m.element_id = f.to_element
      join core.identities o on o.root_id = m.root_id
  ), there as (
    select m.id, m.later, k.model_id,
           range_agg(int4range(k.first_number, k.last_number, '[]')) as numbers
      from members m join core.content k on k.element_id = m.member
     group by m.id, m.later, k.model_id
  ), told as (
    select distinct
           coalesce(jsonb_agg(jsonb_build_array(t.model_id, t.numbers::text) order by t.model_id)
                    filter (where not t.later), '[]') as before,
           coalesce(jsonb_agg(jsonb_build_array(t.model_id, t.numbers::text) order by t.model_id)
                    filter (where t.later), '[]') as after
      from there t group by t.id
  )
  select coalesce(jsonb_agg(jsonb_build_object('before', t.before, 'after', t.after)), '[]') from told t);
end
$$;
comment on function core.news_of_fresh() is
  'What the statements in pg_temp.fresh are about, for clash.first_concerned.';

create or replace function core.refresh_identities(changed bigint[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  news jsonb := '[]';
  steps int := 0;
  chain record;
begin
  drop table if exists pg_temp.asked;
  drop table if exists pg_temp.fresh;
  drop table if exists pg_temp.touched;
  drop table if exists pg_temp.same_things;
  drop table if exists pg_temp.lasting;
  drop table if exists pg_temp.regrouped;
  create temporary table asked on commit drop as select distinct unnest(changed) as element_id;
  create unique index on pg_temp.asked (element_id);
  analyze pg_temp.asked;

  -- Nobody writes a chain meanwhile: their new pairs and these identities would miss each other.
  perform 1 from clash.sets s
    where s.project_id in (select e.project_id from core.elements e
                             join pg_temp.asked a on a.element_id = e.id)
    order by s.id for no key update;

  create temporary table fresh (id bigint, from_element bigint, to_element bigint) on commit drop;
  with taken as (
    delete from core.fresh_links l
     where exists (select from pg_temp.asked a where a.element_id = l.from_element)
        or exists (select from pg_temp.asked a where a.element_id = l.to_element)
    returning l.*
  )
  insert into pg_temp.fresh select t.* from taken t;
  analyze pg_temp.fresh;

  -- Everything that is or was one thing with the changed elements.
  create temporary table touched on commit drop as
    select a.element_id, 0 as step from pg_temp.asked a;
  create unique index on pg_temp.touched (element_id);
  loop
    analyze pg_temp.touched;
    insert into pg_temp.touched
    select n.element_id, steps + 1
      from (select l.to_element as element_id from pg_temp.touched t
              join core.links l on l.from_element = t.element_id
             where t.step = steps and l.to_element is not null
            union
            select l.from_element from pg_temp.touched t
              join core.links l on l.to_element = t.element_id
             where t.step = steps) n
     where not exists (select from pg_temp.touched t where t.element_id = n.element_id);
    exit when not found;
    steps := steps + 1;
  end loop;

  create temporary table regrouped on commit drop as
  select p.id, p.set_id, p.identity_id as was, p.a_element, p.b_element, p.identity_id
    from clash.pairs p
   where p.id in (select a.id from clash.pairs a join pg_temp.touched t on t.element_id = a.a_element
                  union
                  select b.id from clash.pairs b join pg_temp.touched t on t.element_id = b.b_element);
  analyze pg_temp.regrouped;
  if exists (select from pg_temp.regrouped) then
    news := core.news_of_fresh();
  end if;

  -- What is one thing by the statements in force: each takes the smallest id it hears of, until
  -- nobody hears of a smaller one.
  create temporary table same_things on commit drop as
  with said as (
    select distinct on (least(l.from_element, l.to_element), greatest(l.from_element, l.to_element))
           l.from_element as one, l.to_element as other, l.verdict
      from core.links l join pg_temp.touched t on t.element_id = l.from_element
     where l.to_element is not null
     order by least(l.from_element, l.to_element), greatest(l.from_element, l.to_element), l.id desc
  )
  select s.one, s.other from said s where s.verdict = 'same'
  union all
  select s.other, s.one from said s where s.verdict = 'same';
  create temporary table lasting on commit drop as
  select s.one as element_id, least(s.one, min(s.other)) as root_id from pg_temp.same_things s group by s.one;
  create unique index on pg_temp.lasting (element_id);
  analyze pg_temp.same_things;
  analyze pg_temp.lasting;
  loop
    loop
      update pg_temp.lasting c set root_id = r.root_id
        from pg_temp.lasting r where r.element_id = c.root_id and r.root_id < c.root_id;
      exit when not found;
    end loop;
    update pg_temp.lasting c set root_id = m.root_id
      from (select s.one, min(o.root_id) as root_id
              from pg_temp.same_things s join pg_temp.lasting o on o.element_id = s.other
             group by s.one) m
     where m.one = c.element_id and m.root_id < c.root_id;
    exit when not found;
  end loop;

  delete from core.identities i using pg_temp.touched t
    where t.element_id = i.element_id
      and not exists (select from pg_temp.lasting c where c.element_id = i.element_id);
  update core.identities i set root_id = c.root_id
    from pg_temp.lasting c where c.element_id = i.element_id and i.root_id <> c.root_id;
  insert into core.identities (element_id, root_id, project_id)
  select c.element_id, c.root_id, e.project_id
    from pg_temp.lasting c join core.elements e on e.id = c.element_id
   where not exists (select from core.identities i where i.element_id = c.element_id);

  -- Pairs of the same two lasting elements in one set are one pair: the oldest.
  update pg_temp.regrouped g set identity_id = x.identity_id
    from (select p.id, nullif(min(p.id) over (partition by p.set_id, least(p.ra, p.rb),
                                              greatest(p.ra, p.rb)), p.id) as identity_id
            from (select q.id, q.set_id, coalesce(ia.root_id, q.a_element) as ra,
                         coalesce(ib.root_id, q.b_element) as rb
                    from pg_temp.regrouped q
                    left join core.identities ia on ia.element_id = q.a_element
                    left join core.identities ib on ib.element_id = q.b_element) p) x
   where x.id = g.id and x.identity_id is distinct from g.identity_id;
  update clash.pairs p set identity_id = g.identity_id
    from pg_temp.regrouped g where g.id = p.id and g.identity_id is distinct from g.was;

  for chain in
    select c.set_id, c.first,
           -- From where a statement bears on the pairs, or pairs became other pairs.
           least(case when concerned.first is not null then greatest(concerned.first, c.first) end,
                 c.regrouped) as start
      from (select g.set_id, min(r.accepted) as first,
                   min(r.accepted) filter (where g.identity_id is distinct from g.was) as regrouped
              from pg_temp.regrouped g
              join clash.pair_states s on s.pair_id = coalesce(g.was, g.id)
              join clash.results r on r.id = s.first_result
             group by g.set_id) c
      cross join lateral (
        select case when news <> '[]' then clash.first_concerned(c.set_id, news) end as first) concerned
     order by c.set_id
  loop
    continue when chain.start is null;
    perform clash.rewind(chain.set_id, chain.start);
    perform clash.derive_from(chain.set_id, chain.start);
  end loop;
  drop table pg_temp.asked;
  drop table pg_temp.fresh;
  drop table pg_temp.touched;
  drop table pg_temp.same_things;
  drop table pg_temp.lasting;
  drop table pg_temp.regrouped;
end
$$;

create or replace function clash.place_pairs() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from core.identities i
                  where i.project_id in (select a.project_id from added a)) then
    return null;
  end if;
  with rooted as materialized (
    select a.id, a.set_id, a.a_element, a.b_element, x.root_id as a_root, y.root_id as b_root
      from added a
      left join core.identities x on x.element_id = a.a_element
      left join core.identities y on y.element_id = a.b_element
     where x.element_id is not null or y.element_id is not null
  ), twins as (
    select m.id, min(p.id) as first
      from rooted m
      cross join lateral (
        select i.element_id from core.identities i where i.root_id = m.a_root
        union all
        select m.a_element where m.a_root is null) one
      cross join lateral (
        select i.element_id from core.identities i where i.root_id = m.b_root
        union all
        select m.b_element where m.b_root is null) other
      join clash.pairs p on p.set_id = m.set_id
       and p.a_element = least(one.element_id, other.element_id)
       and p.b_element = greatest(one.element_id, other.element_id)
     group by m.id
  )
  update clash.pairs p set identity_id = t.first
    from twins t where p.id = t.id and t.first <> p.id;
  return null;
end
$$;

revoke all on function core.news_of_fresh(), core.note_fresh_links() from public, anon, authenticated;
grant execute on function core.news_of_fresh(), core.note_fresh_links() to service_role;
