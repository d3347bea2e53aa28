-- Moves the tails of topics, whose rows are locked, over what was posted `before`; answers by how many seqs.
WITH moving AS (
    SELECT t.id, t.tail AS was, old.tail, first.posted_at AS oldest_at
    FROM notifications_topic t
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(p.seq), t.tail) AS tail
        FROM notifications_posting p
        WHERE p.topic_id = t.id AND p.seq > t.tail AND p.seq <= t.tail + %(limit)s AND p.posted_at < %(before)s
    ) old
    LEFT JOIN notifications_posting first ON first.topic_id = t.id AND first.seq = old.tail + 1
    WHERE t.id = ANY (%(topics)s)
), gone AS (
    DELETE FROM notifications_posting p
    USING moving
    WHERE p.topic_id = moving.id
      AND p.seq <= moving.tail
      AND NOT EXISTS (
          SELECT FROM notifications_notification n WHERE n.id = p.notification_id AND n.turns_at IS NOT NULL
      )
), moved AS (
    UPDATE notifications_topic t SET tail = moving.tail, oldest_at = moving.oldest_at FROM moving WHERE t.id = moving.id
)
SELECT COALESCE(sum(tail - was), 0)::bigint FROM moving
