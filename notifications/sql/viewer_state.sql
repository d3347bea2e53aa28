-- Everything about one viewer that a page or a live connection starts from, in one row.
SELECT
    extract(epoch FROM clock_timestamp())::float8 AS moment,
    (SELECT value FROM notifications_epoch WHERE id = 1) AS epoch,
    COALESCE(profile.entitlement_version, 0) AS entitlement_version,
    COALESCE(profile.is_kids, FALSE) AS is_kids,
    COALESCE(profile.languages, '{}') AS languages,
    COALESCE(profile.region, '') AS region,
    COALESCE((SELECT version FROM notifications_readstate r WHERE r.viewer_id = u.id), 0) AS read_version,
    COALESCE((
        SELECT jsonb_agg(jsonb_build_array(
            extract(epoch FROM m.starts_at)::float8, extract(epoch FROM m.ends_at)::float8
        ) ORDER BY m.starts_at)
        FROM accounts_membership m
        WHERE m.user_id = u.id AND (m.ends_at IS NULL OR m.ends_at > now() - interval '1 hour')
    ), '[]') AS periods,
    told.positions,
    COALESCE(told.tails, '{}') AS tails,
    told.topics,
    COALESCE(told.muted, '{}') AS muted
FROM accounts_user u
LEFT JOIN accounts_viewerprofile profile ON profile.user_id = u.id
CROSS JOIN LATERAL (
    SELECT
        json_object_agg(name, position)::text AS positions,
        (json_object_agg(name, tail) FILTER (WHERE is_followed AND tail > 0))::text AS tails,
        (json_object_agg(name, array_to_string(kinds, ' ')) FILTER (WHERE is_followed))::text AS topics,
        (json_object_agg(name, extract(epoch FROM muted_until)::float8)
            FILTER (WHERE muted_until > now() - interval '1 hour'))::text AS muted
    FROM (
        -- A topic that was left stands still where it was left.
        SELECT
            t.name, t.tail,
            bool_or(s.until_seq IS NULL) AS is_followed,
            CASE WHEN bool_or(s.until_seq IS NULL) THEN t.head ELSE max(s.until_seq) - 1 END AS position,
            max(s.kinds) FILTER (WHERE s.until_seq IS NULL) AS kinds,
            max(s.muted_until) FILTER (WHERE s.until_seq IS NULL) AS muted_until
        FROM notifications_subscription s JOIN notifications_topic t ON t.id = s.topic_id
        WHERE s.viewer_id = u.id
        GROUP BY t.id
        UNION ALL
        -- The two given ones stand at 0 until they are made.
        SELECT given.name, COALESCE(t.tail, 0), TRUE, COALESCE(t.head, 0), NULL, NULL
        FROM (VALUES ('platform:all'), ('viewer:' || u.id)) AS given (name)
        LEFT JOIN notifications_topic t USING (name)
    ) topic
) told
WHERE u.id = %(viewer_id)s
