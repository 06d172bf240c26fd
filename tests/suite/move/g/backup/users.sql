-- MariaDB dump
DROP TABLE IF EXISTS `users`;
CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `username` varchar(64) NOT NULL,
  `full_name` varchar(128) DEFAULT NULL,
  `public_key` varchar(64) DEFAULT NULL,
  `ip_address` varchar(45) DEFAULT NULL,
  `acl_profile` varchar(32) DEFAULT NULL,
  `is_active` tinyint(1) DEFAULT 1,
  `expires_at` datetime DEFAULT NULL,
  `theme` varchar(16) DEFAULT 'dark',
  `created_at` datetime DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `users` VALUES
(1,'user01','Person O''1','JOCBDTLPvlrH+0hd/Gf0PCo2/9kx5pWK5yqGuMKOFTM=','10.50.0.2','Internet-Only',1,NULL,'cyber','2026-05-01 10:00:00'),
(2,'user02','Person O''2','UPtt9024rBl+XYHcjq8yMjfPv/I5Uj7l6mXOOLcQ9yg=','10.50.0.3','Intranet-Only',1,NULL,'cyber','2026-05-01 10:00:00'),
(3,'user03','Person O''3','ZJOiU6lTAvGG3evWO03feAfY/xWYePBQlY4mpLeRnks=','10.50.0.4','Full',1,NULL,'cyber','2026-05-01 10:00:00'),
(4,'user04','Person O''4','dPHs/V4MH2trGirVBldw5m7RwaFTdeYzJ1lxdGYDswU=','10.50.0.5','Internet-Only',1,'2027-01-04 00:00:00','cyber','2026-05-01 10:00:00'),
(5,'user05','Person O''5','n1TH2oDSKa9lgQzguhxDJzdfTkGJAeuQWdPDV1WFi3E=','10.50.0.6','Intranet-Only',0,NULL,'cyber','2026-05-01 10:00:00'),
(6,'user06','Person O''6','gDb5DyXf2DqvCmoO6Tkxz+yZ8SJQlZ5gsvCu10KXiCs=','10.50.0.7','Full',1,NULL,'cyber','2026-05-01 10:00:00'),
(7,'user07','Person O''7','O0ctgJi+Azu8s/MWQM2dmqCOMWyarZSW5meyYmcFKzM=','10.50.0.8','Internet-Only',1,NULL,'cyber','2026-05-01 10:00:00'),
(8,'user08','Person O''8','pO1KelxbmLhQj7+vdswBkRTrmFyj/C1vFnrkKyigghw=','10.50.0.9','Intranet-Only',1,'2027-01-08 00:00:00','cyber','2026-05-01 10:00:00'),
(9,'user09','Person O''9','ZdY7TlEQorV6PhHFTFaQlWHElM91C2LTrpCrdDLtWRA=','10.50.0.10','Full',1,NULL,'cyber','2026-05-01 10:00:00'),
(10,'user10','Person O''10','EDtOwx/mrfv1BA6ritaSzHFc6GOFJ7h/ihTq7OzIwBY=','10.50.0.11','Internet-Only',1,NULL,'cyber','2026-05-01 10:00:00'),
(11,'user11','Person O''11','S5W/CwaDoexOJvG0yKIkwPcgbXWKy+N02awlXFJYwm0=','10.50.0.12','Intranet-Only',1,NULL,'cyber','2026-05-01 10:00:00'),
(12,'user12','Person O''12','BBd1fl+9GSXlaWVX8vuwbisCcU7WmTNWWhvN0XiU3Bs=','10.50.0.13','Full',1,'2027-01-12 00:00:00','cyber','2026-05-01 10:00:00'),
(13,'user13','Person O''13','29UcuIZ/kVBKlg4OhWhmCkTS/so43NFyzJkmyxrbni0=','10.50.0.14','Internet-Only',1,NULL,'cyber','2026-05-01 10:00:00'),
(14,'user14','Person O''14','fUIeWZbTpLTk0+oGNzZCk8Kmy4PpEUiHugNEpUcZgWI=','10.50.0.15','Guest',1,NULL,'cyber','2026-05-01 10:00:00'),
(15,'user15','Person O''15','vTx1YQvSk574yymMVq7yTJ6y8Zil+Kn7iLuG1zWnJEo=','10.50.0.16','Full',1,NULL,'cyber','2026-05-01 10:00:00'),
(16,'nokey',NULL,NULL,NULL,'Full',1,NULL,'dark',NULL);
CREATE TABLE `audit_logs` (
  `id` int(11) NOT NULL,
  `what` text
) ENGINE=InnoDB;
INSERT INTO `audit_logs` VALUES (1,'login; it''s (fine), \'really\'');
