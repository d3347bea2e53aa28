-- Deletes notifications, whose rows are locked, and all that hangs on them; answers how many.
WITH parts AS (
    DELETE FROM notifications_part WHERE card IN (
        SELECT subject FROM notifications_notification WHERE id = ANY (%(notifications)s)
    )
), items AS (
    DELETE FROM notifications_readitem WHERE notification_id = ANY (%(notifications)s)
), postings AS (
    DELETE FROM notifications_posting WHERE notification_id = ANY (%(notifications)s)
), reach AS (
    DELETE FROM notifications_reach WHERE notification_id = ANY (%(notifications)s)
), deliveries AS (
    DELETE FROM notifications_pastdeliveries WHERE notification_id = ANY (%(notifications)s)
), gone AS (
    DELETE FROM notifications_notification WHERE id = ANY (%(notifications)s) RETURNING 1
)
SELECT count(*) FROM gone
