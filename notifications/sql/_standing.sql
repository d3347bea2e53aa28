-- standing(n)
-- Where the viewer stands with notification n: its newest visible revision, where that was posted, and whether they have
-- read or dismissed it. What they said of this revision, or a later one, counts before the marks.
(
    SELECT
        newest.revision,
        newest.positions,
        COALESCE(item.is_read, newest.marked, FALSE) AS read,
        COALESCE(item.is_dismissed, FALSE) AS dismissed
    FROM (
        SELECT p.revision, jsonb_object_agg(t.name, p.seq) AS positions, bool_or(p.seq <= mark.seq) AS marked
        FROM notifications_posting p
        JOIN notifications_topic t ON t.id = p.topic_id
        JOIN /* interests() */ s ON s.topic_id = p.topic_id
        LEFT JOIN notifications_readmark mark ON mark.viewer_id = %(viewer_id)s AND mark.topic_id = p.topic_id
        WHERE p.notification_id = n.id AND /* visible(p, s) */
        GROUP BY p.revision
        ORDER BY p.revision DESC
        LIMIT 1
    ) newest
    LEFT JOIN notifications_readitem item
        ON item.viewer_id = %(viewer_id)s AND item.notification_id = n.id AND item.revision >= newest.revision
)
