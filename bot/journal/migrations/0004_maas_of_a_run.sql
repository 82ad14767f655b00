-- By what the MAAS of a run is recognised: a JSON list, empty where the version before began the run. Two open runs never have
-- an entry in common.
ALTER TABLE run ADD COLUMN maas TEXT NOT NULL DEFAULT '[]';
