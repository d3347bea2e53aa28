-- standing(n)
-- Where the viewer whose interests `_mine.sql` holds stands with notification n: its newest visible revision, where that
-- was posted, and whether they have read or dismissed it. What they said of this revision, or a later one, counts before
-- the marks.
(
    SELECT
        newest.revision,
        newest.positions,
        COALESCE(item.is_read, newest.is_marked) AS read,
        COALESCE(item.is_dismissed, FALSE) AS dismissed
    FROM (
        SELECT p.revision, jsonb_object_agg(s.name, p.seq) AS positions, bool_or(p.seq <= s.read_seq) AS is_marked
        FROM (SELECT * FROM notifications_posting WHERE notification_id = n.id OFFSET 0) p  -- a fence, as in inbox.sql
        CROSS JOIN LATERAL (SELECT * FROM interests WHERE topic_id = p.topic_id OFFSET 0) s  -- no hash table for each
        WHERE /* sees(n, p, s) */
        GROUP BY p.revision
        ORDER BY p.revision DESC
        LIMIT 1
    ) newest
    LEFT JOIN notifications_readitem item
        ON item.viewer_id = %(viewer_id)s AND item.notification_id = n.id AND item.revision >= newest.revision
)
