-- entries()
-- The cards of the notifications in `chosen`: their newest state, and where the viewer stands with them.
SELECT
    n.id, seen.revision, n.kind, n.title, n.body, n.url, n.image, n.studio, n.category, n.recalled,
    n.published_at, n.expires_at, seen.positions,
    COALESCE(seen.marked, FALSE) OR EXISTS (
        SELECT FROM notifications_readitem item
        WHERE item.viewer_id = %(viewer_id)s AND item.notification_id = n.id AND item.revision >= seen.revision
    ) AS read
FROM chosen
JOIN notifications_notification n ON n.id = chosen.notification_id
CROSS JOIN LATERAL (
    SELECT
        p.revision,
        max(p.posted_at) AS posted_at,
        jsonb_object_agg(t.name, p.seq) AS positions,
        bool_or(p.seq <= mark.seq) AS marked
    FROM notifications_posting p
    JOIN notifications_topic t ON t.id = p.topic_id
    JOIN /* interests() */ s ON s.topic_id = p.topic_id
    LEFT JOIN notifications_readmark mark ON mark.viewer_id = %(viewer_id)s AND mark.topic_id = p.topic_id
    WHERE p.notification_id = n.id AND /* visible(p, s) */
    GROUP BY p.revision
    ORDER BY p.revision DESC
    LIMIT 1
) seen
