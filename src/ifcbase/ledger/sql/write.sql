-- start_attempt: takes a queued job
select public.start_attempt(%(job)s, %(worker)s, %(host)s, %(lease_s)s)

-- heartbeat: renews a lease
select public.heartbeat(%(token)s, %(progress)s)

-- fail_attempt: ends an attempt without a result
select public.fail_attempt(%(token)s, %(outcome)s, %(error)s, %(may_retry)s, %(facts)s)

-- copy_target: a temporary table to copy rows into
select public.copy_target(%(token)s, %(kind)s)

-- append_copied_inventory: takes the copied elements of a model version
select public.append_copied_inventory(%(token)s, %(version)s)

-- finish_inventory: makes the elements the content of a model version
select public.finish_inventory(%(token)s, %(version)s, %(facts)s)

-- matching_due: model versions of the job that are not matched with the version before yet
select public.matching_due(%(token)s)

-- unmatched_content: what a version and the one before it do not have in common
select element_id, earlier, global_id, n, ifc_class, px, py, pz, cx, cy, cz, ex, ey, ez, volume,
       area, vertices, properties, content
  from public.unmatched_content(%(token)s, %(version)s)

-- moved_candidates: what may have moved from or to the models that are not in the job
select version, model, element_id, was_earlier, global_id, n, ifc_class, px, py, pz, cx, cy, cz,
       ex, ey, ez, volume, area, vertices, properties, content
  from public.moved_candidates(%(token)s, %(earlier)s, %(classes)s::text[])

-- store_links: what matching found
select public.store_links(%(token)s, %(version)s, %(previous)s, %(rows)s)

-- add_output: notes a file the job made
select public.add_output(%(token)s, %(sha256)s, %(size)s, %(name)s)

-- open_result: opens a result
select public.open_result(%(token)s, %(header)s)

-- append_rows: adds rows of a kind
select public.append_rows(%(token)s, %(result)s, %(kind)s, %(rows)s)

-- append_copied: takes the copied rows of a kind
select public.append_copied(%(token)s, %(result)s, %(kind)s)

-- finish_result: makes a result visible
select public.finish_result(%(token)s, %(result)s, %(footer)s)

-- finish_job: ends a job whose results are stored
select public.finish_job(%(token)s, %(outcome)s, %(facts)s)

-- bound_idle: lets the server end a writer that fell asleep inside its transaction
select set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true)

-- hold_attempt: says that a result waits in a spool
select public.hold_attempt(%(token)s, %(silence_s)s, %(note)s)

-- claim_attempt: asks for the lease of a result that waited
select public.claim_attempt(%(token)s, %(lease_s)s, %(refused)s)
