-- told(n)
-- THE SEAM, for many: the viewers [first, last) whom notification n reaches, each once. `_recipients.sql` says the same of
-- one. (The fence is looked into with one posting at a time: so what is read are the interests in its topic, in order.
-- Memberships are joined, so that those of all followers can be read at once; who has two of them is still told once.)
(
    SELECT reached.viewer_id
    FROM notifications_posting p
    CROSS JOIN LATERAL (
        SELECT s.viewer_id
        FROM /* interests() */ s
        LEFT JOIN accounts_membership m
            ON m.user_id = s.viewer_id AND m.user_id >= %(first)s AND m.user_id < %(last)s AND /* covers(m, p) */
        WHERE s.viewer_id >= %(first)s AND s.viewer_id < %(last)s
          AND /* concerns(n, p, s) */
          AND CASE WHEN s.is_given THEN p.posted_at >= s.since ELSE m.id IS NOT NULL END
        OFFSET 0
    ) reached
    WHERE p.notification_id = n.id
    EXCEPT
    SELECT id FROM accounts_user WHERE NOT is_active AND id >= %(first)s AND id < %(last)s
)
