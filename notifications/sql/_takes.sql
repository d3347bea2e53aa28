-- takes(e, n, pref)
-- The endpoint e is on, and its viewer wants notification n there; pref is null where they never chose.
e.disabled_at IS NULL
AND CASE WHEN pref.viewer_id IS NULL THEN TRUE ELSE /* wanted(e, n, pref) */ END
