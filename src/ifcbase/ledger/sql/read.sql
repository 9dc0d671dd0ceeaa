-- results: the latest finished results of a project, newest first
select r.id, s.name as "set", d.number as set_version, r.clash_count, r.verdict, r.coverage,
       r.touching, r.related_left_out, r.undecided, r.incomplete, r.warnings, r.output_filename, r.output_sha256,
       r.original_clash_id, r.job_id::text as job_id, r.accepted, r.created_at, r.finished_at,
       r.engine,
       coalesce((select jsonb_agg(jsonb_build_object(
                   'side', c.side, 'file', c.file_name, 'model', m.name, 'number', v.number,
                   'mode', c.mode, 'selector', c.selector, 'selected', c.selected,
                   'tested', c.tested, 'left_out', c.left_out) order by c."position")
                   from clash.coverage c
                   left join core.model_versions v on v.id = c.model_version_id
                   left join core.models m on m.id = v.model_id
                  where c.result_id = r.id), '[]') as sides
  from clash.results r
  join clash.sets s on s.id = r.set_id
  join core.projects p on p.id = r.project_id
  left join clash.set_versions d on d.id = r.set_version_id
 where r.state = 'finished' and p.name = %(project)s
   and (%(set)s::text is null or s.name = %(set)s)
   and (%(id)s::bigint is null or r.id = %(id)s)
 order by r.accepted desc, r.id desc
 limit %(limit)s

-- document: the document of a result as clients read it
select clash_data from public.clash_results where id = %(id)s

-- contacts: the contacts of a result, deepest first
select k.word as kind, s.distance, s.measured, s.p1x as x, s.p1y as y, s.p1z as z,
       ma.name as a_model, ea.global_id as a_global_id, ca.ifc_class as a_class, ca.name as a_name,
       ca.storey as a_storey,
       mb.name as b_model, eb.global_id as b_global_id, cb.ifc_class as b_class, cb.name as b_name,
       cb.storey as b_storey, s.pair_id, s.smart_group
  from clash.sightings s
  join clash.results r on r.id = s.result_id and r.state = 'finished'
  join clash.pairs p on p.id = s.pair_id
  join clash.kinds k on k.kind = s.kind
  join core.elements ea on ea.id = case when s.flipped then p.b_element else p.a_element end
  join core.elements eb on eb.id = case when s.flipped then p.a_element else p.b_element end
  join core.models ma on ma.id = ea.model_id
  join core.models mb on mb.id = eb.model_id
  left join clash.coverage va on va.result_id = s.result_id and va."position" = s.a_position
  left join clash.coverage vb on vb.result_id = s.result_id and vb."position" = s.b_position
  left join core.model_versions na on na.id = va.model_version_id
  left join core.model_versions nb on nb.id = vb.model_version_id
  left join core.content ca on ca.element_id = ea.id and ca.first_number <= na.number
   and (ca.last_number is null or ca.last_number >= na.number)
  left join core.content cb on cb.element_id = eb.id and cb.first_number <= nb.number
   and (cb.last_number is null or cb.last_number >= nb.number)
 where s.result_id = %(id)s and (select clash.require_whole(%(id)s))
   and (%(pairs)s::bigint[] is null or s.pair_id = any(%(pairs)s))
 order by (s.kind = 4), case when s.kind = 4 then s.distance else -s.distance end, s.pair_id
 limit %(limit)s

-- left_out: the elements a result selected but did not test
select c.side, m.name as model, e.global_id, l.reason
  from clash.left_out l
  join clash.coverage c on c.result_id = l.result_id and c."position" = l."position"
  join core.elements e on e.id = l.element_id
  join core.models m on m.id = e.model_id
 where l.result_id = %(id)s
 order by c."position", m.name, e.global_id, e.n

-- pairs_of: the pairs seen in a result
select pair_id from clash.sightings where result_id = %(id)s
