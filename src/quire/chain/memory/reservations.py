"""Who may come with a proof for a slot, and from when on.

Source   market.md 2.4, 3.5
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quire.chain.dispersal import Window, distance, h_of_request, may_hold, source
from quire.chain.events import SeedFixed, SlotReservationsFull, SlotReserved
from quire.chain.memory.moment import need
from quire.chain.memory.state import RequestRecord, Reservation, SlotRecord
from quire.chain.memory.states import OPEN, States
from quire.chain.values import Address, RequestId, SlotId, SlotState

NEVER = 2**64 - 1
BLOCKHASHES = 256  # so many blocks back their hashes are known


@dataclass(frozen=True, slots=True)
class Place:
    """A reservation of a slot that a host could have; `free_from` 0: nobody has it."""

    number: int
    free_from: int = 0


class Reservations(States):
    def can_reserve(self, request_id: RequestId, slot_index: int) -> bool:
        return self._place(request_id, slot_index) is not None

    def eligible_from(
        self, host: Address, request_id: RequestId, slot_index: int
    ) -> tuple[int, int]:
        """From when on the host may reserve, if the slot stays as it is, and which reservation.
        0: now; NEVER: not as it is."""
        if not self._is_open(request_id, slot_index):
            return NEVER, 0
        record, slot = self.known(request_id), self.slot(request_id, slot_index)
        place = self._next_place(slot, host)
        if place is None:
            return NEVER, 0
        earliest = place.free_from if place.free_from > self.now else 0
        window = self._window(record, slot)
        if window.h_bps == 0:
            return earliest, place.number
        if not self._is_seasoned(host, self._origin(record, slot)):
            return NEVER, place.number
        seed = self._seed(record, slot)
        if not seed:
            return window.start, place.number  # ask again in the next block
        if self._share(request_id, host) >= may_hold(record.request.ask.max_slot_loss):
            return max(earliest, window.tail_from), place.number
        away = self._away(request_id, slot, place, host, seed)
        return max(earliest, window.opens_at(away)), place.number

    def reservations_of(self, slot_id: SlotId) -> tuple[Reservation, ...]:
        slot = self.state.slots.get(slot_id)
        return () if slot is None else slot.reservations

    def reserve_slot(self, request_id: RequestId, slot_index: int) -> None:
        place = self._place(request_id, slot_index)
        need(place is not None, "SlotReservations_ReservationNotAllowed")
        assert place is not None
        slot = self._fix_seed(self.known(request_id), self.slot(request_id, slot_index))
        mine, others = Reservation(self.caller, self.now), slot.reservations
        taken = (*others[: place.number], mine, *others[place.number + 1 :])
        self.put_slot(replace(slot, reservations=taken))
        ttl = self.terms.dispersal.ttl
        until = self.now + ttl if ttl else NEVER
        self.events.append(SlotReserved(request_id, slot_index, self.caller, place.number, until))
        if len(taken) == self.terms.max_reservations > len(others):
            self.events.append(SlotReservationsFull(request_id, slot_index))

    # ---- whether ----

    def _place(self, request_id: RequestId, slot_index: int) -> Place | None:
        """The reservation that the caller may make now."""
        if not self._is_open(request_id, slot_index):
            return None
        record, slot = self.known(request_id), self.slot(request_id, slot_index)
        place = self._next_place(slot, self.caller)
        if place is None or place.free_from > self.now:
            return None
        window = self._window(record, slot)
        if window.h_bps == 0:
            return place
        seed = self._seed(record, slot)
        if not seed or not self._is_seasoned(self.caller, self._origin(record, slot)):
            return None
        if self.now >= window.tail_from:
            return place
        if self._share(request_id, self.caller) >= may_hold(record.request.ask.max_slot_loss):
            return None
        away = self._away(request_id, slot, place, self.caller, seed)
        return place if window.lets_in(away, self.now) else None

    def _is_open(self, request_id: RequestId, slot_index: int) -> bool:
        record = self.state.requests.get(request_id)
        if record is None or slot_index >= record.request.ask.slots:
            return False
        if self.request_state(request_id) not in OPEN:
            return False
        slot = self.slot(request_id, slot_index)
        is_waiting = slot_index in record.waiting
        return slot.state in (SlotState.FREE, SlotState.REPAIR) and not is_waiting

    def _next_place(self, slot: SlotRecord, host: Address) -> Place | None:
        """A new reservation, or when there are as many as may be, that which expires first."""
        if any(other.host == host for other in slot.reservations):
            return None
        if len(slot.reservations) < self.terms.max_reservations:
            return Place(len(slot.reservations))
        ttl = self.terms.dispersal.ttl
        if ttl == 0 or not slot.reservations:
            return None
        ages = [other.reserved_at for other in slot.reservations]
        return Place(ages.index(min(ages)), min(ages) + ttl + 1)

    def _share(self, request_id: RequestId, host: Address) -> int:
        """How many slots of the request the host holds or has reserved while they are free."""
        return sum(
            slot.host == host
            if slot.state is SlotState.FILLED
            else any(other.host == host for other in slot.reservations)
            for slot in (
                self.slot(request_id, index) for index in range(self.request(request_id).ask.slots)
            )
        )

    # ---- the window ----

    def _window(self, record: RequestRecord, slot: SlotRecord) -> Window:
        rules = self.terms.dispersal
        h_bps = h_of_request(record.request.nonce, rules.h_bps)
        start, end = record.expires_at - record.request.expiry, record.expires_at
        if slot.state is SlotState.REPAIR:
            start, end = slot.since, min(slot.since + rules.repair_window, record.ends_at)
        return Window(start, end, h_bps, rules.tail_bps)

    def _origin(self, record: RequestRecord, slot: SlotRecord) -> int:
        """The block whose hash is the seed."""
        return slot.opened_block if slot.state is SlotState.REPAIR else record.created_block

    def _seed(self, record: RequestRecord, slot: SlotRecord) -> bytes:
        """Empty as long as it cannot be known."""
        fixed = slot.seed if slot.state is SlotState.REPAIR else record.seed
        origin = self._origin(record, slot)
        if fixed or self.block.number <= origin:
            return fixed
        is_recent = self.block.number - origin <= BLOCKHASHES
        return self.block.hash_of(origin if is_recent else self.block.number - 1)

    def _fix_seed(self, record: RequestRecord, slot: SlotRecord) -> SlotRecord:
        """With the first reservation the seed stays as it is."""
        if self._window(record, slot).h_bps == 0:
            return slot
        is_repair = slot.state is SlotState.REPAIR
        seed = self._seed(record, slot)
        if seed == (slot.seed if is_repair else record.seed):
            return slot
        self.events.append(SeedFixed(slot.request_id, seed))
        if is_repair:
            return replace(slot, seed=seed)
        self.change_request(slot.request_id, seed=seed)
        return slot

    def _away(
        self, request_id: RequestId, slot: SlotRecord, place: Place, host: Address, seed: bytes
    ) -> int:
        return distance(source(seed, request_id, slot.slot_index, place.number), host)

    def _is_seasoned(self, host: Address, origin: int) -> bool:
        rules, since = self.terms.dispersal, self.state.registered.get(host, 0)
        if not rules.require_registration:
            return True
        return since != 0 and since + rules.min_age <= origin

    # ---- the registry ----

    def register(self) -> None:
        need(self.caller not in self.state.registered, "Registry_AlreadyRegistered")
        self.state.registered[self.caller] = self.block.number
        self.pull(self.deposit)

    def unregister(self) -> None:
        """Take the deposit back, once the registration is old enough to count."""
        since = self.state.registered.get(self.caller)
        need(since is not None, "Registry_NotRegistered")
        assert since is not None
        is_old = self.block.number >= since + self.terms.dispersal.min_age
        need(is_old, "Registry_TooEarly")
        del self.state.registered[self.caller]
        self.pay(self.caller, self.deposit)

    def registered_at(self, host: Address) -> int:
        return self.state.registered.get(host, 0)
