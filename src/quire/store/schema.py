"""The tables of the metadata database, and its format version.

Digests, roots and CIDs are raw 32-byte SHA-256 digests. Places are pack << 32 | offset (page.py).
"""

from __future__ import annotations

FORMAT_VERSION = 3  # kept in user_version; a database of a newer version is refused
APPLICATION_ID = 0x51_55_49_52  # "QUIR"

# An upload that may be resumed. position: bytes that are durable, of which `tail` are those after
# the last whole block and the others are the leaves of `tree` (state 0). length: NULL while it is
# not known. cid: digest of the manifest once the upload is complete. headers: as the client sent
# them.
UPLOADS = """
CREATE TABLE upload (
  id TEXT PRIMARY KEY, created REAL NOT NULL, expires REAL NOT NULL, block_size INTEGER NOT NULL,
  length INTEGER, position INTEGER NOT NULL, tree INTEGER, cid BLOB, filename TEXT, mimetype TEXT,
  headers TEXT NOT NULL, tail BLOB NOT NULL);
"""

DAMAGE = """
-- Leaves that were lost to the disk and have not come back yet.
CREATE TABLE damage (
  tree INTEGER NOT NULL, leaf INTEGER NOT NULL, found REAL NOT NULL,
  PRIMARY KEY (tree, leaf)) WITHOUT ROWID;
"""

PROTECTIONS = """
-- A dataset being protected, or protected before. source: digest of its manifest. tree: the
-- protected tree being built (state 0), of which every parity leaf of the columns below `steps` and
-- every original leaf below `adopted` is in. root: that tree's root, noted before slot files of it
-- are written. cid: digest of the verifiable manifest once it is complete.
CREATE TABLE protection (
  id INTEGER PRIMARY KEY, source BLOB NOT NULL, k INTEGER NOT NULL, m INTEGER NOT NULL,
  created REAL NOT NULL, expires REAL NOT NULL, tree INTEGER, steps INTEGER NOT NULL,
  adopted INTEGER NOT NULL, root BLOB, cid BLOB, UNIQUE (source, k, m));

-- Poseidon2 digests of the blocks of one slot from a column on. id: protection << 40 | slot << 32 |
-- column.
CREATE TABLE slot_digest (id INTEGER PRIMARY KEY, digests BLOB NOT NULL);
"""

_OLDER_TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- What the quota counts; equal to the sums over block and dataset.
CREATE TABLE counter (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  blocks INTEGER NOT NULL, block_bytes INTEGER NOT NULL,
  manifests INTEGER NOT NULL, manifest_bytes INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 0, 0, 0, 0);

-- end: bytes of the file that may be in use; live: bytes of its blocks.
CREATE TABLE pack (
  id INTEGER PRIMARY KEY, end INTEGER NOT NULL, live INTEGER NOT NULL, sealed INTEGER NOT NULL);

-- Extents of packs that are not sealed yet: what is between them is garbage after a crash.
CREATE TABLE run (place INTEGER PRIMARY KEY, length INTEGER NOT NULL);

-- Extents that nothing refers to any more and that are not given back to the disk yet.
CREATE TABLE freed (place INTEGER PRIMARY KEY, length INTEGER NOT NULL);

-- refs: number of present leaves with this digest, over all trees.
CREATE TABLE block (
  digest BLOB PRIMARY KEY, place INTEGER NOT NULL, length INTEGER NOT NULL, refs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX block_orphan ON block (refs) WHERE refs = 0;

-- root: NULL while a tree is being uploaded (state 0) or taken apart (state 2).
-- nodes: upper layers of a partial tree, zeros where unknown; NULL when they follow from the pages.
CREATE TABLE tree (
  id INTEGER PRIMARY KEY, root BLOB UNIQUE, leaf_count INTEGER NOT NULL,
  block_size INTEGER NOT NULL, present_count INTEGER NOT NULL, nodes BLOB, state INTEGER NOT NULL);
CREATE INDEX tree_unsettled ON tree (state) WHERE state <> 1;

-- id: tree << 24 | number. The other columns: page.py.
CREATE TABLE page (
  id INTEGER PRIMARY KEY, present BLOB, node BLOB, places BLOB NOT NULL, nodes BLOB NOT NULL);

-- kept_until: when the last of its roots ends; NULL never, 0 when it has none.
CREATE TABLE dataset (
  id INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, manifest BLOB NOT NULL,
  tree INTEGER NOT NULL, created REAL NOT NULL, kept_until REAL DEFAULT 0);
CREATE INDEX dataset_tree ON dataset (tree);
CREATE INDEX dataset_due ON dataset (kept_until) WHERE kept_until IS NOT NULL;

CREATE TABLE root (
  dataset INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, expires REAL,
  PRIMARY KEY (dataset, kind, name)) WITHOUT ROWID;
CREATE UNIQUE INDEX root_name ON root (name) WHERE kind = 'name';
"""

TABLES = _OLDER_TABLES + UPLOADS + DAMAGE + PROTECTIONS

_RETENTION = """
-- A name names one dataset: the newest.
DELETE FROM root WHERE kind = 'name' AND EXISTS (
  SELECT 1 FROM root o WHERE o.kind = 'name' AND o.name = root.name AND o.dataset > root.dataset);
-- The time that an upload is kept was written down as a pin; a pin is now what somebody asked for.
UPDATE OR REPLACE root SET kind = 'lease' WHERE kind = 'pin' AND name = '';
-- Without roots a dataset stayed; an upgrade deletes nothing.
INSERT INTO root SELECT d.id, 'pin', '', NULL FROM dataset d
  WHERE NOT EXISTS (SELECT 1 FROM root r WHERE r.dataset = d.id);
DROP INDEX root_expires;
CREATE UNIQUE INDEX root_name ON root (name) WHERE kind = 'name';
ALTER TABLE dataset ADD COLUMN kept_until REAL DEFAULT 0;
UPDATE dataset SET kept_until = (
  SELECT CASE WHEN count(*) > count(expires) THEN NULL ELSE max(expires) END
  FROM root WHERE root.dataset = dataset.id);
CREATE INDEX dataset_due ON dataset (kept_until) WHERE kept_until IS NOT NULL;
"""

# What brings a database from each older version to the next, within one transaction.
STEPS = {1: f"{_RETENTION}{UPLOADS}{DAMAGE}", 2: PROTECTIONS}
