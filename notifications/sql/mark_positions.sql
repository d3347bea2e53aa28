-- Moves read marks forward, never above a topic's head; answers which ones moved, and to where.
INSERT INTO notifications_readmark AS mark (viewer_id, topic_id, seq)
SELECT %(viewer_id)s, t.id, LEAST(wanted.seq::bigint, t.head)
FROM jsonb_each_text(%(positions)s) AS wanted (topic, seq)
JOIN notifications_topic t ON t.name = wanted.topic
WHERE wanted.seq::bigint > 0
  AND t.head > 0
  AND EXISTS (SELECT FROM /* interests() */ s WHERE s.viewer_id = %(viewer_id)s AND s.topic_id = t.id)
ON CONFLICT (viewer_id, topic_id) DO UPDATE SET seq = EXCLUDED.seq WHERE mark.seq < EXCLUDED.seq
RETURNING (SELECT name FROM notifications_topic t WHERE t.id = mark.topic_id), mark.seq
