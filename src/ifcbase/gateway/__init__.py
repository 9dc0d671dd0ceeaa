"""The HTTP door: thin routers over the same functions that the command line calls.

How it is made:

- ``app.create_app(gateway)`` puts it together; ``gateway.state.Gateway`` is what routes share:
  settings, the pool of connections, the queue engine, the files. Routes reach it as ``GatewayDep``.
- One file per resource in ``routes/``, each with a ``router``; it is served once its module is in
  ``routes.ROUTERS``. Handlers are plain functions (``def``), which run in threads, unless they wait
  for something else than the database.
- Who calls: a parameter ``caller: Reader`` (or ``Submitter``, ``Decider``, ``Admin``) from
  ``gateway.caller``. It refuses whoever lacks the verb in the project, before the handler runs.
  A route without such a parameter is open to everybody; there are few (health, links, documents).
- Every query of a route runs under the caller's row-level security:

      with caller.transaction() as connection:
          ...

  It commits at the end of the block, so that what is answered is stored. What changes something
  says so in the same transaction: ``caller.note(connection, "submit job", job_id)``.
- POST takes ``Idempotency-Key`` through ``gateway.repeats.once``.
- Errors are raised as ``ifcbase.errors``; ``gateway.problems`` turns each into an RFC 9457 problem.
- The authorisation test (tests/integration/gateway/test_authorisation.py) wants a row for each route.
"""
