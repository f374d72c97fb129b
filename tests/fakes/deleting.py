"""The scripted servers with their ways to delete.

Google: reference of ``studies.delete`` and of operations, read and not run. Orthanc: its REST API as Debian's 1.10.1
answers. dcm4chee: StudyMgtRS of dcm4chee-arc-light, read and not run.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import httpx

from .base import Asked, Refusal, Target
from .dcm4chee import Dcm4chee
from .google import Google
from .orthanc_like import OrthancLike
from .store import Held, Json, Store

DATASET = "projects/p/locations/l/datasets/d"
XML_ERROR = b'<?xml version="1.0"?><Error><Message>internal at 10.0.0.1</Message></Error>'


class DeletingGoogle(Google):
    """``polls``: looks at an operation before it has ended, ``ends``: how it does then. ``spares``: so many instances are
    not deleted. ``lag``: so many searches (at the levels in ``lags``) still find what is gone. ``xml``: errors come as XML.
    ``looking``: called at every look at an operation."""

    def __init__(self, store: Store, **more: Any) -> None:
        super().__init__(store, **more)
        self.polls, self.ends, self.spares, self.lag = 2, dict[str, Any](), 0, 0
        self.lags = {"study", "series", "instance"}
        self.xml = self.cut = False
        self.running: dict[str, tuple[int, list[Held]]] = {}
        self._before = store
        self.looking: Callable[[], None] = lambda: None

    def answer(self, asked: Asked) -> httpx.Response:
        if asked.method == "GET" and asked.path.startswith(f"/v1/{DATASET}/operations/"):
            return self._operation(asked.path.removeprefix("/v1/"))
        if asked.method != "DELETE" or not self.below_base(asked):
            return super().answer(asked)
        target = self.target(asked)
        held = self.held(target)
        if target.level == "instance":
            self._remove(held)
            if self.cut:
                raise httpx.ReadError("cut")
            return httpx.Response(200, json={})
        name = f"{DATASET}/operations/{len(self.running) + 1}"
        self.running[name] = (self.polls, held)
        return httpx.Response(200, json={"name": name})

    def _operation(self, name: str) -> httpx.Response:
        self.looking()
        if name not in self.running:
            raise Refusal(404, "operation not found")
        left, held = self.running[name]
        self.running[name] = (left - 1, held)
        metadata = {"counter": {"success": str(self.polls - left), "pending": str(left)}}
        if left > 0:
            return httpx.Response(200, json={"name": name, "metadata": metadata})
        self._remove(held[self.spares :])
        return httpx.Response(200, json={"name": name, "metadata": metadata, "done": True, "response": {}, **self.ends})

    def _remove(self, held: list[Held]) -> None:
        self._before = Store().hold(self.store.instances)
        self.store.drop(held)

    def search(self, target: Target, asked: Asked) -> httpx.Response:
        if (
            self.lag <= 0
            or target.level not in self.lags
            or self._before is self.store
            or self._before.instances == self.store.instances
        ):
            return super().search(target, asked)
        self.lag -= 1
        now, self.store = self.store, self._before
        try:
            return super().search(target, asked)
        finally:
            self.store = now

    def error(self, status: int, message: str, name: str | None = None) -> httpx.Response:
        if self.xml:
            return httpx.Response(status, content=XML_ERROR, headers={"Content-Type": "application/xml"})
        return super().error(status, message, name)


class DeletingOrthanc(OrthancLike):
    """Objects are identified by PatientID and UIDs. ``hides_rest``: a gateway lets nothing but ``/dicom-web`` through.
    ``miscounts``: its statistics count one more than its searches give.

    LastUpdate changes with what is received, not with what is deleted (seen)."""

    hides_rest = miscounts = False

    def __init__(self, store: Store, **more: Any) -> None:
        super().__init__(store, **more)
        self._received: list[Held] = []

    def answer(self, asked: Asked) -> httpx.Response:
        if self.below_base(asked):
            return super().answer(asked)
        if self.hides_rest:
            raise Refusal(404, "Unknown resource")
        if (asked.method, asked.path) == ("POST", "/tools/lookup"):
            return httpx.Response(200, json=self._lookup(asked.body.decode()))
        resource = re.fullmatch(r"/(studies|series|instances)/([0-9a-f-]+)(/statistics)?", asked.path)
        held = self._of(resource[1], resource[2]) if resource else []
        if not resource or not held:
            raise Refusal(404, "Unknown resource")
        if asked.method == "DELETE" and not resource[3]:
            self.store.drop(held)
            return httpx.Response(200, json={"RemainingAncestor": None})
        if asked.method == "GET" and resource[3]:
            counts = {} if resource[1] == "instances" else {"CountInstances": len(held) + self.miscounts}
            return httpx.Response(200, json={"DiskSize": str(1_000 * len(held)), **counts})
        if asked.method == "GET":
            return httpx.Response(200, json=self._resource(resource[1], held))
        return self._not_allowed()

    def _resource(self, plural: str, held: list[Held]) -> Json:
        self._received += [one for one in self.store.instances if one not in self._received]
        last = max(self._received.index(one) for one in held)
        if plural == "instances":
            return {"FileUuid": f"file-{last}", "Type": "Instance"}
        children, depth = ("Series", 3) if plural == "studies" else ("Instances", 4)
        return {
            "LastUpdate": f"20260101T{last:06}",
            "IsStable": len(self.requests) % 2 == 0,
            children: sorted({identifier(one, depth) for one in held}, reverse=len(self.requests) % 2 == 0),
        }

    def _lookup(self, uid: str) -> list[Json]:
        """Patients too, by their PatientID."""
        levels = (
            ("Patient", "patients", 1),
            ("Study", "studies", 2),
            ("Series", "series", 3),
            ("Instance", "instances", 4),
        )
        found = {
            identifier(one, depth): (kind, plural)
            for one in self.store.instances
            for kind, plural, depth in levels
            if uids(one)[depth - 1] == uid
        }
        return [{"ID": id, "Path": f"/{plural}/{id}", "Type": kind} for id, (kind, plural) in found.items()]

    def _of(self, plural: str, wanted: str) -> list[Held]:
        depth = {"studies": 2, "series": 3, "instances": 4}[plural]
        return [one for one in self.store.instances if identifier(one, depth) == wanted]


def uids(held: Held) -> tuple[str, ...]:
    return tuple(held.text(tag) for tag in ("00100020", "0020000D", "0020000E", "00080018"))


def identifier(held: Held, depth: int) -> str:
    """Orthanc's own, as its documentation makes it."""
    digest = hashlib.sha1("|".join(uids(held)[:depth]).encode()).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


class DeletingDcm4chee(Dcm4chee):
    """Studies only, and only ``rejected`` ones; those that are ``retained`` are a conflict."""

    def __init__(self, store: Store, **more: Any) -> None:
        super().__init__(store, **more)
        self.rejected: set[str] = set()
        self.retained: set[str] = set()

    def answer(self, asked: Asked) -> httpx.Response:
        if asked.method != "DELETE":
            return super().answer(asked)
        target = self.target(asked)
        if target.level != "study" or target.study is None:
            raise Refusal(405, "HTTP method DELETE is not supported by this URL")
        held = self.held(target)
        if target.study in self.retained:
            raise Refusal(409, "Study retention has not expired")
        if target.study not in self.rejected:
            raise Refusal(403, "Deletion of Study prohibited by configuration")
        self.store.drop(held)
        return httpx.Response(204)
