-- Rows as the planebot of migration 2 left them, on either database, with something of everything in it. Never edited.
INSERT INTO cursor VALUES ('comments', '9');
INSERT INTO delivery VALUES ('a', 'push', 1000000, 1, '{"ref":"refs/heads/main"}', 1, 1000000, '"done"');
INSERT INTO delivery VALUES ('b', 'push', 1000000, 2, '{"ref":"refs/heads/main"}', 5, 1000000, '{"parked":"poison"}');
INSERT INTO delivery VALUES ('c', 'push', 1000000, 3, '{"ref":"refs/heads/main"}', 2, NULL, NULL);
INSERT INTO delivery VALUES ('d', 'push', 1000000, 4, '{"ref":"refs/heads/main"}', 0, NULL, NULL);
INSERT INTO heard VALUES ('o/r', 7, 'abc', 1000000, 'a');
INSERT INTO pull VALUES ('o/r', 1, 's', 1000000, 'merged', '{"v":1}');
INSERT INTO run VALUES (1, 's', 'o/r', 1, '0000-0000', 1000000, 1000000, '{"steps":[]}');
INSERT INTO run VALUES (2, 's', 'o/r', 1, '0000-0000', 1000000, NULL, '{"steps":[]}');
INSERT INTO fact VALUES (1, 1, 1000000, '{"v":1,"fact":{"began":{"by":"alice"}}}');
INSERT INTO fact VALUES (1, 2, 1000000, '{"v":1,"fact":"finished"}');
INSERT INTO fact VALUES (2, 1, 1000000, '{"v":1,"fact":{"began":{"by":"alice"}}}');
INSERT INTO fact VALUES (2, 2, 1000000, '{"v":1,"fact":{"intended":1}}');
INSERT INTO lease VALUES ('s', 'w0', 2, 999999);
INSERT INTO reply VALUES ('plan/1', 1, 'o/r', '"comment"', 1, 'words', 1000000, 1000000, 0, 1000001, 77, NULL);
INSERT INTO reply VALUES ('plan/2', 2, 'o/r', '"comment"', 2, 'words', 1000000, 1000000, 3, NULL, NULL, '502');
INSERT INTO reply VALUES ('check/1', 3, 'o/r', '"check"', NULL, '{}', 1000000, 1000000, 0, NULL, NULL, NULL);
