"""A client of the HTTP API, for scripts and CI: upload, submit, wait, read what was found, decide.

    from ifcbase.client import Client

    with Client("https://checks.example.com", key="...") as client:
        walls = client.upload("architecture.ifc")
        pipes = client.upload("mep.ifc")
        job = client.clash("Architecture x MEP", [walls], [pipes])
        done = client.wait(job, on_progress=print)
        for pair in client.pairs("Architecture x MEP", state="new"):
            print(pair["one_global_id"], pair["other_global_id"], pair["distance"])

What the service refuses is raised as the same class of ``ifcbase.errors`` as on the server.
"""

from ifcbase.client.calls import Client
from ifcbase.client.things import Event, Finding, Job, Uploaded, Version

__all__ = ["Client", "Event", "Finding", "Job", "Uploaded", "Version"]
