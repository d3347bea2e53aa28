-- Marks single notifications as read, those alone that the viewer can see; answers which ones changed.
INSERT INTO notifications_readitem (viewer_id, notification_id, revision)
SELECT %(viewer_id)s, n.id, max(p.revision)
FROM notifications_notification n
JOIN notifications_posting p ON p.notification_id = n.id
JOIN /* interests() */ s ON s.topic_id = p.topic_id
WHERE n.id = ANY (%(ids)s) AND /* visible(p, s) */
GROUP BY n.id
ON CONFLICT (viewer_id, notification_id) DO UPDATE SET revision = EXCLUDED.revision
WHERE notifications_readitem.revision < EXCLUDED.revision
RETURNING notification_id
