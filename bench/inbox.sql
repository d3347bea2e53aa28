-- What viewers follow and what was posted, in a database that holds one of each: `first_topic` and `first_notification`.
-- name: topics
SELECT id, split_part('category studio title', ' ', CASE WHEN n < 5 THEN 1 WHEN n < 200 THEN 2 ELSE 3 END) || ':' || n
    AS name
FROM (SELECT %(first_topic)s + n AS id, n FROM generate_series(1, 1999) AS n) numbered
-- name: notifications
SELECT
    %(first_notification)s + n AS id, 'bench:' || n AS subject, 1 + (n %% 10 = 0)::int AS revision,
    CASE WHEN n %% 20 = 0 THEN 'live_event' WHEN n %% 20 < 10 THEN 'episode' WHEN n %% 20 < 18 THEN 'premiere'
        ELSE 'announcement' END AS kind,
    (ARRAY[0, 7, 12, 16])[1 + n %% 4] AS maturity,
    CASE WHEN n %% 6 = 0 THEN now() + (n - %(last)s + 5000) * interval '15 seconds' END AS expires_at
FROM generate_series(1, %(last)s) AS n
-- name: postings
SELECT
    topic.id AS topic_id, 1 + row_number() OVER (PARTITION BY topic.id ORDER BY posted.place) AS seq,
    %(first_notification)s + n AS notification_id, posted.revision, notification.kind,
    now() - (%(last)s + 60 - posted.place) * interval '15 seconds' AS posted_at
FROM generate_series(1, %(last)s) AS n
CROSS JOIN LATERAL (
    SELECT 1 AS revision, n::float8 AS place
    UNION ALL SELECT 2, n + 50.5 WHERE n %% 10 = 0
) posted
CROSS JOIN LATERAL unnest(ARRAY[n %% 5, 5 + n * 7 %% 195, 200 + n * 13 %% 1800]) AS place_of (number)
JOIN notifications_topic topic ON topic.id = %(first_topic)s + place_of.number
JOIN notifications_notification notification ON notification.id = %(first_notification)s + n
-- name: subscriptions
SELECT topic_id, viewer.id AS viewer_id, 1 AS from_seq
FROM generate_series(%(first)s, %(first_measured)s - 1) AS viewer (id)
CROSS JOIN LATERAL unnest(ARRAY[%(first_topic)s + viewer.id %% 5, %(first_topic)s + 5 + viewer.id %% 195]) AS topic_id
UNION ALL
SELECT
    topic.id, viewer.id,
    (ARRAY[1, topic.head / 2 + 1, GREATEST(1, topic.head - 100)])[1 + viewer.id %% 3]
FROM generate_series(%(first_measured)s, %(last_measured)s) AS viewer (id)
CROSS JOIN LATERAL (
    SELECT (viewer.id + j) %% 5 AS number FROM generate_series(1, 3) AS j
    UNION ALL SELECT 5 + (viewer.id * 17 + j * 11) %% 195 FROM generate_series(1, 12) AS j
    UNION ALL SELECT 200 + (viewer.id * 31 + j * 47) %% 1800 FROM generate_series(1, 35) AS j
) followed
JOIN notifications_topic topic ON topic.id = %(first_topic)s + followed.number
-- name: heads
UPDATE notifications_topic topic SET head = posted.head
FROM (SELECT topic_id, max(seq) AS head FROM notifications_posting GROUP BY topic_id) posted
WHERE posted.topic_id = topic.id
-- name: kinds
UPDATE notifications_subscription SET kinds = CASE viewer_id %% 4
    WHEN 1 THEN ARRAY['premiere', 'episode', 'live_event'] WHEN 2 THEN ARRAY['premiere'] ELSE ARRAY['live_event'] END
WHERE viewer_id >= %(first_measured)s AND viewer_id %% 4 > 0
-- name: marks
INSERT INTO notifications_readmark (viewer_id, topic_id, seq)
SELECT s.viewer_id, t.id, CASE s.viewer_id %% 5 WHEN 2 THEN t.head WHEN 3 THEN t.head / 2 + 1
    ELSE GREATEST(1, t.head - 40) END
FROM notifications_subscription s JOIN notifications_topic t ON t.id = s.topic_id
WHERE s.viewer_id >= %(first_measured)s AND s.viewer_id %% 5 > 1
-- name: items
INSERT INTO notifications_readitem (viewer_id, notification_id, revision)
SELECT viewer_id, %(first_notification)s + %(last)s - n, 2
FROM generate_series(%(first_measured)s, %(last_measured)s) AS viewer_id CROSS JOIN generate_series(1, 100) AS n
WHERE viewer_id %% 5 = 4
