-- Every way by which a notification could have reached the viewer: each of its postings with each interest that the
-- viewer ever had in that topic. The conditions of `_reaches.sql` and `_visible.sql` are answered one by one, and whether
-- the viewer dismissed it;
-- `is_visible` is the rule itself, so that an answer that leaves something out is noticed.
SELECT
    t.name AS topic, t.label, p.seq, p.revision, p.posted_at,
    CASE WHEN s.viewer_id IS NOT NULL THEN GREATEST(s.since, u.date_joined) END AS since,
    COALESCE(s.is_given, FALSE) AS is_given, s.from_seq, s.until_seq, s.muted_until,
    COALESCE(p.seq >= s.from_seq AND (s.until_seq IS NULL OR p.seq < s.until_seq), FALSE)
        AND (NOT s.is_given OR p.posted_at >= s.since) AS is_interested,
    COALESCE(s.is_given OR n.kind = ANY (s.kinds), FALSE) AS is_of_kind,
    (s.muted_until IS NULL OR p.posted_at >= s.muted_until) AS is_unmuted,
    COALESCE(s.is_given, FALSE) OR EXISTS (
        SELECT FROM accounts_membership m
        WHERE m.user_id = %(viewer_id)s
          AND m.starts_at <= p.posted_at
          AND (m.ends_at IS NULL OR p.posted_at < m.ends_at)
    ) AS is_paid,
    (n.maturity <= %(kids_max_maturity)s OR NOT v.is_kids) AS is_suitable,
    (n.languages IS NULL OR v.languages = '{}' OR n.languages && v.languages) AS is_understood,
    (n.regions IS NULL OR v.region = ANY (n.regions)) AND (p.regions IS NULL OR v.region = ANY (p.regions)) AS is_there,
    /* dismissed(p) */ AS is_dismissed,
    COALESCE(/* visible(p, s) */, FALSE) AND NOT /* dismissed(p) */ AS is_visible
FROM notifications_notification n
JOIN notifications_posting p ON p.notification_id = n.id
JOIN notifications_topic t ON t.id = p.topic_id
JOIN accounts_viewerprofile v ON v.user_id = %(viewer_id)s
JOIN accounts_user u ON u.id = v.user_id
LEFT JOIN /* interests() */ s ON s.topic_id = p.topic_id AND s.viewer_id = %(viewer_id)s
WHERE n.id = %(notification_id)s AND (t.viewer_id IS NULL OR t.viewer_id = %(viewer_id)s)
ORDER BY p.revision DESC, t.name, s.from_seq DESC
