"""What operators tell everybody: drafted and published in the console, posted to `platform:all`."""
