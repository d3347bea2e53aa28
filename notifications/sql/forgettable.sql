-- Notifications that are to be forgotten: published `before`, not to turn any more, and posted above no topic's tail.
SELECT n.id
FROM notifications_notification n
WHERE n.published_at < %(before)s
  AND n.turns_at IS NULL
  AND (%(among)s::bigint[] IS NULL OR n.id = ANY (%(among)s::bigint[]))
  AND NOT EXISTS (
      SELECT FROM notifications_posting p
      JOIN notifications_topic t ON t.id = p.topic_id
      WHERE p.notification_id = n.id AND p.seq > t.tail
  )
ORDER BY n.id
LIMIT %(limit)s
