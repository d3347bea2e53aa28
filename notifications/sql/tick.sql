-- What a hub compares itself with, in one query: the time, heads of its topics, its viewers, and whether they are signed in.
SELECT
    extract(epoch FROM clock_timestamp())::float8 AS moment,
    (SELECT value FROM notifications_epoch WHERE id = 1) AS epoch,
    COALESCE((
        SELECT jsonb_object_agg(name, head) FROM notifications_topic WHERE name = ANY (%(topics)s)
    ), '{}') AS heads,
    COALESCE((
        SELECT jsonb_object_agg(u.id, jsonb_build_array(
            COALESCE(profile.entitlement_version, 0), COALESCE(read.version, 0), md5(u.password)
        ))
        FROM accounts_user u
        LEFT JOIN accounts_viewerprofile profile ON profile.user_id = u.id
        LEFT JOIN notifications_readstate read ON read.viewer_id = u.id
        WHERE u.id = ANY (%(viewers)s) AND u.is_active
    ), '{}') AS viewers,
    COALESCE((
        SELECT jsonb_agg(session_key) FROM django_session
        WHERE session_key = ANY (%(sessions)s) AND expire_date > now()
    ), '[]') AS sessions,
    COALESCE((
        SELECT jsonb_agg(id) FROM accounts_apitoken WHERE id = ANY (%(tokens)s) AND revoked_at IS NULL
    ), '[]') AS tokens
