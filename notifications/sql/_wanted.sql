-- wanted(e, n, pref)
-- Whether a viewer wants notification n on the channel of e: as they chose for the closest of its topics, else by kind.
COALESCE(
    (
        SELECT (pref.topics -> t.name) ? e.channel
        FROM notifications_posting p
        JOIN notifications_topic t ON t.id = p.topic_id
        WHERE p.notification_id = n.id AND pref.topics <> '{}' AND pref.topics ? t.name
        ORDER BY array_position(ARRAY['viewer', 'title', 'studio', 'category'], split_part(t.name, ':', 1))
        LIMIT 1
    ),
    (n.kind || ':' || e.channel) <> ALL (pref.off)
)
