-- visible(p, s)
-- The viewer may see posting p of notification n through the subscription interval s.
p.topic_id = s.topic_id
AND s.viewer_id = %(viewer_id)s
AND p.seq >= s.from_seq
AND (s.until_seq IS NULL OR p.seq < s.until_seq)
AND n.kind = ANY (s.kinds)
AND (n.expires_at IS NULL OR n.expires_at > now())
AND n.maturity <= COALESCE(
    (SELECT %(kids_max_maturity)s WHERE EXISTS (
        SELECT FROM accounts_viewerprofile WHERE user_id = %(viewer_id)s AND is_kids
    )),
    32767
)
AND EXISTS (
    SELECT FROM accounts_membership m
    WHERE m.user_id = %(viewer_id)s
      AND m.starts_at <= p.posted_at
      AND (m.ends_at IS NULL OR p.posted_at < m.ends_at)
)
