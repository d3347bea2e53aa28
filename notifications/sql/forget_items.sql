-- Deletes some of what viewers said of notifications; answers how much.
WITH gone AS (
    DELETE FROM notifications_readitem
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM notifications_readitem WHERE notification_id = ANY (%(notifications)s) LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM gone
