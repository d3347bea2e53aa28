-- recipients(e, n, pref)
-- THE SEAM: who gets notification n on which channel, as endpoints e; pref is null where a viewer never chose.
e.disabled_at IS NULL
AND EXISTS (
    SELECT
    FROM notifications_posting p
    JOIN notifications_subscription s ON s.topic_id = p.topic_id
    WHERE p.notification_id = n.id
      AND s.viewer_id = e.viewer_id
      AND p.seq >= s.from_seq
      AND (s.until_seq IS NULL OR p.seq < s.until_seq)
      AND n.kind = ANY (s.kinds)
      AND EXISTS (
          SELECT FROM accounts_membership m
          WHERE m.user_id = s.viewer_id
            AND m.starts_at <= p.posted_at
            AND (m.ends_at IS NULL OR p.posted_at < m.ends_at)
      )
)
AND EXISTS (
    SELECT
    FROM accounts_user u
    JOIN accounts_viewerprofile profile ON profile.user_id = u.id
    WHERE u.id = e.viewer_id AND u.is_active AND (n.maturity <= %(kids_max_maturity)s OR NOT profile.is_kids)
)
AND CASE WHEN pref.viewer_id IS NULL THEN TRUE ELSE /* wanted(e, n, pref) */ END
