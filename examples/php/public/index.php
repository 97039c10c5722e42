<?php
// What no file answers for comes here, as behind any web server.
declare(strict_types=1);

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

if ($path === '/upload' && $_SERVER['REQUEST_METHOD'] === 'POST') {
    $file = $_FILES['file'] ?? null;
    if ($file === null || $file['error'] !== UPLOAD_ERR_OK) {
        http_response_code(400);
        exit('There is no file.');
    }
    // The name is the client's: the last part of it, below uploads, where
    // nothing is executed.
    $name = basename($file['name']);
    move_uploaded_file($file['tmp_name'], __DIR__ . '/uploads/' . $name);
    header('Location: /uploads/' . rawurlencode($name), true, 303);
    exit;
}

if ($path !== '/') {
    http_response_code(404);
}
?>
<!DOCTYPE html>
<html lang="en">
<title>PHP behind Deno.serve</title>
<link rel="stylesheet" href="/style.css">
<h1><?= $path === '/' ? 'Hello from PHP' : 'There is no such page' ?></h1>
<p>PHP <?= PHP_VERSION ?> answers for <code><?= htmlspecialchars($path) ?></code>
to <?= htmlspecialchars($_SERVER['REMOTE_ADDR']) ?>.</p>
<form action="/upload" method="post" enctype="multipart/form-data">
  <input type="file" name="file"> <button>Upload</button>
</form>
