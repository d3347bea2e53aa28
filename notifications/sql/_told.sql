-- told(n)
-- THE SEAM, for many: the viewers [first, last) whom notification n reaches, each once. `_recipients.sql` says the same of
-- one. (The fence is looked into with one posting at a time: so what is read are the interests in its topic, in order.)
(
    SELECT reached.viewer_id
    FROM notifications_posting p
    CROSS JOIN LATERAL (
        SELECT s.viewer_id
        FROM /* interests() */ s
        WHERE s.viewer_id >= %(first)s AND s.viewer_id < %(last)s AND /* reaches(n, p, s) */
        OFFSET 0
    ) reached
    WHERE p.notification_id = n.id
    EXCEPT
    SELECT id FROM accounts_user WHERE NOT is_active AND id >= %(first)s AND id < %(last)s
)
