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

CREATE TABLE dataset (
  id INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, manifest BLOB NOT NULL,
  tree INTEGER NOT NULL, created REAL NOT NULL);
CREATE INDEX dataset_tree ON dataset (tree);

CREATE TABLE root (
  dataset INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, expires REAL,
  PRIMARY KEY (dataset, kind, name)) WITHOUT ROWID;
CREATE INDEX root_expires ON root (expires) WHERE expires IS NOT NULL;
