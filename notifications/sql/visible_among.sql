-- Which of these notifications the viewer sees.
SELECT DISTINCT n.id
FROM notifications_notification n
JOIN notifications_posting p ON p.notification_id = n.id
JOIN /* interests() */ s ON s.topic_id = p.topic_id
WHERE n.id = ANY (%(ids)s) AND /* visible(p, s) */
