-- By which topics a notification reached the viewer, first to last.
SELECT t.name AS topic, t.label, p.seq, p.revision, p.posted_at, GREATEST(s.since, u.date_joined) AS since, s.is_given
FROM notifications_notification n
JOIN notifications_posting p ON p.notification_id = n.id
JOIN notifications_topic t ON t.id = p.topic_id
JOIN /* interests() */ s ON s.topic_id = p.topic_id
JOIN accounts_user u ON u.id = s.viewer_id
WHERE n.id = %(notification_id)s AND /* visible(p, s) */
ORDER BY p.revision, t.name
