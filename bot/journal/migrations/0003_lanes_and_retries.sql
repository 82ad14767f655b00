-- A delivery that failed waits for its time, and holds up only what must not overtake it: its pull request's and its branch's
-- later ones. A row without lanes was not looked into yet. All of it has a default that means what the version before meant.
ALTER TABLE delivery ADD COLUMN again BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN failure TEXT;
ALTER TABLE delivery ADD COLUMN pull_lane TEXT;
ALTER TABLE delivery ADD COLUMN branch_lane TEXT;

-- When a reply was made at GitHub, which counts, unlike edits; and the place at which it was given up: owed anew, with other
-- words, it has another place, whichever version owes it.
ALTER TABLE reply ADD COLUMN created BIGINT;
ALTER TABLE reply ADD COLUMN given_up BIGINT;

ALTER TABLE pull ADD COLUMN touched BIGINT;

-- Each turn's questions are answered by an index alone: bodies are long, and lie in front of the columns that are asked for.
CREATE INDEX delivery_next ON delivery (place, again, pull_lane, branch_lane, id) WHERE settled IS NULL;
CREATE INDEX delivery_pull_lane ON delivery (pull_lane, place) WHERE settled IS NULL;
CREATE INDEX delivery_branch_lane ON delivery (branch_lane, place) WHERE settled IS NULL;
CREATE INDEX delivery_settled ON delivery (settled) WHERE settled IS NOT NULL;
CREATE INDEX reply_next ON reply ((CASE kind WHEN '"check"' THEN 0 WHEN '"reaction"' THEN 1 ELSE 2 END), place, not_before, given_up, remote, key)
    WHERE posted IS NULL;
CREATE INDEX reply_posted ON reply (posted) WHERE posted IS NOT NULL;
CREATE INDEX reply_created ON reply ((COALESCE(created, posted)));
CREATE INDEX run_ended ON run (ended) WHERE ended IS NOT NULL;
CREATE INDEX heard_at ON heard (at);
