-- Which of these notifications need not be told any more: what the viewer has read or dismissed, what was taken back or
-- has expired. One that never stood in a topic, such as a test, can only expire.
WITH interests AS MATERIALIZED /* mine() */
SELECT n.id
FROM notifications_notification n
LEFT JOIN LATERAL /* standing(n) */ seen ON TRUE
WHERE n.id = ANY (%(ids)s) AND (n.recalled OR n.expires_at <= now() OR seen.read OR seen.dismissed)
