-- Which delivery claimed a comment: the same one may ask again after a power cut.
ALTER TABLE heard ADD COLUMN delivery TEXT NOT NULL DEFAULT '';

-- The next place is read at each insert, and the queues at each turn: neither may walk the whole table.
CREATE INDEX delivery_place ON delivery (place);
CREATE INDEX delivery_parked ON delivery (place) WHERE verdict LIKE '{"parked"%';
CREATE INDEX reply_place ON reply (place);
CREATE INDEX reply_open ON reply (place) WHERE posted IS NULL;
CREATE INDEX pull_stage ON pull (site, stage);
CREATE INDEX run_site ON run (site, id);
