"""Objects from configurations: every choice by name is resolved here, by one `match` each."""
