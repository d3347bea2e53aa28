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
    COALESCE((
        SELECT json_object_agg(name, position)::text FROM (
            -- A topic that was left stands still where it was left.
            SELECT t.name, CASE WHEN bool_or(s.until_seq IS NULL) THEN t.head ELSE max(s.until_seq) - 1 END AS position
            FROM notifications_subscription s JOIN notifications_topic t ON t.id = s.topic_id
            WHERE s.viewer_id = u.id
            GROUP BY t.id
            UNION ALL
            -- The two given ones stand at 0 until they are made.
            SELECT given.name, COALESCE(t.head, 0)
            FROM (VALUES ('platform:all'), ('viewer:' || u.id)) AS given (name)
            LEFT JOIN notifications_topic t USING (name)
        ) held
    ), '{}') AS positions,
    COALESCE((
        SELECT json_object_agg(t.name, t.tail)::text
        FROM /* interests() */ s JOIN notifications_topic t ON t.id = s.topic_id
        WHERE s.viewer_id = u.id AND s.until_seq IS NULL AND t.tail > 0
    ), '{}') AS tails,
    COALESCE((
        SELECT json_object_agg(name, kinds)::text FROM (
            SELECT t.name, to_json(s.kinds) AS kinds
            FROM notifications_subscription s JOIN notifications_topic t ON t.id = s.topic_id
            WHERE s.viewer_id = u.id AND s.until_seq IS NULL
            UNION ALL
            SELECT given.name, NULL FROM (VALUES ('platform:all'), ('viewer:' || u.id)) AS given (name)
        ) followed
    ), '{}') AS topics,
    COALESCE((
        SELECT jsonb_object_agg(t.name, extract(epoch FROM s.muted_until)::float8)
        FROM notifications_subscription s JOIN notifications_topic t ON t.id = s.topic_id
        WHERE s.viewer_id = u.id AND s.until_seq IS NULL AND s.muted_until > now() - interval '1 hour'
    ), '{}') AS muted
FROM accounts_user u
LEFT JOIN accounts_viewerprofile profile ON profile.user_id = u.id
WHERE u.id = %(viewer_id)s
