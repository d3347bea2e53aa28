-- may_hide(n, p, s)
-- By posting p, or one after it, notification n came to be meant for others: a card of it may have to go. For whoever
-- follows the topic for the kind and is in a region that p is about; `Filter.may_lose` says the same.
(
    p.revision > 1
    AND p.revision <= n.audience_revision
    AND (s.is_given OR n.kind = ANY (s.kinds))
    AND s.until_seq IS NULL
    AND (p.regions IS NULL OR EXISTS (
        SELECT FROM accounts_viewerprofile v WHERE v.user_id = s.viewer_id AND v.region = ANY (p.regions)
    ))
)
