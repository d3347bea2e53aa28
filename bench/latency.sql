-- When a published release was appended, posted, made a work item and claimed, in seconds of the epoch.
SELECT
    substr(published.key, length('release:') + 1),
    extract(epoch FROM entry.appended_at),
    extract(epoch FROM posting.posted_at),
    extract(epoch FROM item.created_at),
    extract(epoch FROM item.started_at)
FROM broker_outboxmessage AS published
JOIN broker_streammessage AS entry ON entry.position = published.position
JOIN notifications_notification AS notification ON notification.subject = published.key
CROSS JOIN LATERAL (
    SELECT min(posted_at) AS posted_at
    FROM notifications_posting
    WHERE notification_id = notification.id
) AS posting
JOIN broker_outboxmessage AS posted
    ON posted.type = 'notification.posted' AND posted.key = 'notification:' || notification.id
JOIN broker_workitem AS item ON item.position = posted.position
WHERE published.type = 'release.published' AND published.key = ANY(%(subjects)s)
