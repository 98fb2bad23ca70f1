-- No table: the api's migrations make them at its next start.
SELECT 1;
