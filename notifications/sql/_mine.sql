-- mine()
-- The viewer's interests with all that `_sees.sql` asks for: which kinds, from which seq to which, when it was to be
-- posted (`heard`), read up to where, and the profile.
(
    SELECT
        one.viewer_id, one.topic_id, topic.name, one.is_given,
        COALESCE(one.kinds, %(kinds)s::varchar[]) AS kinds,
        one.from_seq, one.until_seq, COALESCE(one.until_seq, topic.head + 1) AS end_seq,
        COALESCE(mark.seq, 0) AS read_seq,
        tstzmultirange(tstzrange(one.muted_until, NULL)) * CASE
            WHEN one.is_given THEN tstzmultirange(tstzrange(one.since, NULL))
            ELSE membership.periods
        END AS heard,
        profile.is_kids, profile.languages, profile.region
    FROM accounts_viewerprofile profile
    CROSS JOIN (
        SELECT range_agg(tstzrange(starts_at, ends_at)) AS periods
        FROM accounts_membership
        WHERE user_id = %(viewer_id)s AND (ends_at IS NULL OR starts_at < ends_at)
    ) membership
    JOIN /* interests() */ one ON one.viewer_id = profile.user_id
    JOIN notifications_topic topic ON topic.id = one.topic_id
    LEFT JOIN notifications_readmark mark ON mark.viewer_id = one.viewer_id AND mark.topic_id = one.topic_id
    WHERE profile.user_id = %(viewer_id)s
)
