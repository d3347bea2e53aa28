-- Whoever makes deliveries of these viewers holds their caps until it commits, so that two never count the same place.
SELECT FROM notifications_preference
WHERE viewer_id >= %(first)s AND viewer_id < %(last)s AND NOT (caps = '{}')
ORDER BY viewer_id
FOR NO KEY UPDATE
