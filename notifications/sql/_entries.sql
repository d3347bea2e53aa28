-- entries()
-- The cards of the notifications in `chosen`: their newest state, and where the viewer stands with them.
SELECT
    n.id, seen.revision, n.kind, n.title, n.body, n.url, n.image, n.studio, n.category, n.recalled,
    n.published_at, n.expires_at, seen.positions, seen.read
FROM chosen
JOIN notifications_notification n ON n.id = chosen.notification_id
CROSS JOIN LATERAL /* standing(n) */ seen
